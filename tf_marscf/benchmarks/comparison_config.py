"""Which models a benchmark compares, and the architecture of the first of them."""

import dataclasses

from tf_marscf.config import MarScfConfig, check_model_options
from tf_marscf.config_fields import Config, integer, same_field, some_of
from tf_marscf.errors import InputError

MODEL_LABELS = {
    "mar": "mAR-SCF",
    "gaussian": "Glow (mAR-SCF with a Gaussian prior)",
    "tfb_glow": "tfb.Glow",
    "pixel_cnn": "tfd.PixelCNN",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparisonConfig(Config):
    """What all benchmarks that compare models share.

    The model options are those of `MarScf`, and the architecture of the model "mar". The other
    models get about as many parameters.
    """

    models: tuple = some_of(
        tuple(MODEL_LABELS), tuple(MODEL_LABELS), "Models to compare, mar among them."
    )
    num_steps: int = same_field(MarScfConfig, "num_steps", 4)
    hidden_channels: int = same_field(MarScfConfig, "hidden_channels", 64)
    coupling: str = same_field(MarScfConfig, "coupling")
    prior_hidden_channels: int = same_field(MarScfConfig, "prior_hidden_channels")
    prior_num_layers: int = same_field(MarScfConfig, "prior_num_layers")
    num_blocks: int = same_field(MarScfConfig, "num_blocks")
    num_components: int = same_field(MarScfConfig, "num_components")
    num_heads: int = same_field(MarScfConfig, "num_heads")
    seed: int = integer(0, "Seed of weights, data order and noise.", least=0)

    def __post_init__(self):
        super().__post_init__()
        if "mar" not in self.models or len(set(self.models)) < len(self.models):
            raise InputError(
                "`models` must be different names, 'mar' among them; "
                f"got {','.join(self.models)!r}."
            )
        check_model_options({"num_levels": 1, **self.model_options})

    @property
    def model_options(self):
        """Arguments of `MarScfConfig` but for the image shape and the number of levels."""
        names = {field.name for field in dataclasses.fields(MarScfConfig)} - {"num_levels"}
        return {name: value for name, value in vars(self).items() if name in names}

    def mar_scf_config(self, image_shape, num_levels):
        """The `MarScfConfig` of the model "mar"."""
        return MarScfConfig(image_shape=image_shape, num_levels=num_levels, **self.model_options)

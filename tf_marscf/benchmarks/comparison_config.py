"""Which models a benchmark compares, and the architecture of the first of them."""

import dataclasses
import math
import numbers

from tf_marscf.config import MarScfConfig
from tf_marscf.errors import InputError
from tf_marscf.training.training_config import check_model_options

MODEL_LABELS = {
    "mar": "mAR-SCF",
    "gaussian": "Glow (mAR-SCF with a Gaussian prior)",
    "tfb_glow": "tfb.Glow",
    "pixel_cnn": "tfd.PixelCNN",
}
_MODEL_OPTIONS = (
    "num_steps",
    "hidden_channels",
    "coupling",
    "prior_hidden_channels",
    "prior_num_layers",
    "num_blocks",
    "num_components",
    "num_heads",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparisonConfig:
    """What all benchmarks that compare models share.

    The model options are those of `MarScf`, and the architecture of the model "mar". The other
    models get about as many parameters.

    Attributes:
        models: keys of `MODEL_LABELS`, in the order of the table; "mar" is among them.
        num_steps: K, steps of flow a level, of all flows.
        hidden_channels: C.
        coupling: "affine" or "mixlogcdf", of "mar" and "gaussian".
        prior_hidden_channels: channels of the prior's ConvLSTM.
        prior_num_layers: layers of the prior's ConvLSTM.
        num_blocks: blocks of a MixLogCDF coupling's network.
        num_components: components of a MixLogCDF coupling's mixtures.
        num_heads: attention heads of a MixLogCDF coupling's network.
        seed: of weights, data order and noise.

    Raises:
        ValueError: if a value is out of range, naming it.
    """

    models: tuple = tuple(MODEL_LABELS)
    num_steps: int = 4
    hidden_channels: int = 64
    coupling: str = "affine"
    prior_hidden_channels: int = 32
    prior_num_layers: int = 3
    num_blocks: int = 10
    num_components: int = 32
    num_heads: int = 4
    seed: int = 0

    def __post_init__(self):
        models = tuple(self.models)
        unknown = [name for name in models if name not in MODEL_LABELS]
        if unknown or "mar" not in models or len(set(models)) < len(models):
            raise InputError(
                f"`models` must be different names of {tuple(MODEL_LABELS)}, 'mar' among them; "
                f"got {','.join(map(str, models))!r}."
            )
        object.__setattr__(self, "models", models)
        check_model_options({"num_levels": 1, **self.model_options})
        self._check_integers(seed=0)

    def _check_integers(self, **least_values):
        for name, least in least_values.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
                raise InputError(f"`{name}` must be an integer >= {least}; got {value!r}.")

    def _check_positive(self, *names):
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, numbers.Real) or not 0.0 < value < math.inf:
                raise InputError(f"`{name}` must be a finite number > 0; got {value!r}.")

    @property
    def model_options(self):
        """Arguments of `MarScfConfig` but for the image shape and the number of levels."""
        return {name: getattr(self, name) for name in _MODEL_OPTIONS}

    def mar_scf_config(self, image_shape, num_levels):
        """The `MarScfConfig` of the model "mar"."""
        return MarScfConfig(image_shape=image_shape, num_levels=num_levels, **self.model_options)

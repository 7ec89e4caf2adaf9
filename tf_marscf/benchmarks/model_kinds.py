"""The systems that benchmarks compare, as data: a kind of model is one entry here."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class ModelKind:
    """One system.

    Attributes:
        label: what tables and figures call it.
        options: arguments of `MarScfConfig` in which it differs from the kind "mar"; None for a
            model of TFP.
        dequantization: as of `DequantizationConfig`.
        step_share: the part of the kind "mar"'s steps of flow that it has, at least one step. Deep
            networks in every step would be too narrow with as many parameters.
    """

    label: str
    options: dict | None = None
    dequantization: str = "uniform"
    step_share: float = 1.0

    @property
    def is_mar_scf(self):
        """Whether it is a `MarScf`."""
        return self.options is not None

    def mar_scf_config(self, config, image_shape, num_levels, **options):
        """Its `MarScfConfig`, from a `ComparisonConfig` and further arguments."""
        num_steps = max(1, round(self.step_share * config.num_steps))
        options = self.options | {"num_steps": num_steps} | options
        # Of an even number of heads as many as divide a width, so that more widths can be had.
        width = options.get("hidden_channels", config.hidden_channels)
        options = {"num_heads": math.gcd(width, config.num_heads)} | options
        return config.mar_scf_config(image_shape, num_levels, **options)


MODEL_KINDS = {
    "mar": ModelKind("mAR-SCF", {}),
    "gaussian": ModelKind("Glow (mAR-SCF with a Gaussian prior)", {"prior": "gaussian"}),
    "flow_plus_plus": ModelKind(
        "Flow++", {"prior": "gaussian", "coupling": "mixlogcdf"}, "variational", step_share=1 / 3
    ),
    "residual": ModelKind("Residual Flow", {"prior": "gaussian", "coupling": "residual"}),
    "residual_mar": ModelKind("Residual Flow with a mAR prior", {"coupling": "residual"}),
    "tfb_glow": ModelKind("tfb.Glow"),
    "pixel_cnn": ModelKind("tfd.PixelCNN"),
}
MODEL_LABELS = {name: kind.label for name, kind in MODEL_KINDS.items()}
# What `density` and `sampling` compare by default: an epoch of Flow++ takes several of the others'.
DEFAULT_KINDS = ("mar", "gaussian", "tfb_glow", "pixel_cnn")

"""Which model a page shows, and where, as data; TensorFlow is not needed to check it."""

import dataclasses

from tf_marscf.config import CompilationConfig
from tf_marscf.config_fields import REQUIRED, integer, path, same_field, string
from tf_marscf.runs.run_config import RestoredRunConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExploreConfig(CompilationConfig):
    """A page of one model, on one address of this machine."""

    model: str = path(
        REQUIRED,
        "Directory of a training run or import, one that tf_marscf.save wrote, or an export.",
    )
    checkpoint: str = same_field(RestoredRunConfig, "checkpoint")
    dataset: str = same_field(RestoredRunConfig, "dataset")
    data_dir: str = same_field(RestoredRunConfig, "data_dir")
    num_test_images: int = integer(
        200,
        "Test images that are scored for the place of an image among them, where bin/evaluate.py "
        "--scores has not scored all.",
        least=2,
    )
    host: str = string(
        "127.0.0.1",
        "Address of this machine on which the page is; 0.0.0.0: all of them, and whoever reaches "
        "one can use the page.",
    )
    port: int = integer(
        None, "Port of the page. Default: 7860, or the first free one after it.", most=65535
    )

    @property
    def restored_fields(self):
        """The fields of a `RestoredRunConfig` that are here, a dict."""
        names = {field.name for field in dataclasses.fields(RestoredRunConfig)}
        return {name: value for name, value in vars(self).items() if name in names}

"""Which samples are drawn, and how they are written, as data."""

import dataclasses
import os
import re

from tf_marscf.config_fields import boolean, choice, integer, number_by_level, path, string
from tf_marscf.errors import InputError
from tf_marscf.runs.run_config import RestoredRunConfig

# Each format, and what its output's name ends with.
FORMATS = {"grid": ".png", "png": "", "npz": ".npz"}
_MAX_GRID_SAMPLES = 10_000  # The one format that is in memory as a whole.
_LABEL = re.compile("[0-9]{1,9}")
_NUM_INDICES = 2**31 - 1  # TensorFlow's stateless seeds are pairs of int32.


@dataclasses.dataclass(frozen=True, kw_only=True)
class SampleConfig(RestoredRunConfig):
    """Samples of a model, and the test images beside them."""

    format: str = choice(
        "grid",
        tuple(FORMATS),
        "One picture of all samples, with as many test images beside them; a new directory with "
        "one PNG a sample; or an .npz archive with the array `images`.",
    )
    num_samples: int = integer(64, "How many.")
    batch_size: int = integer(64, "Samples drawn at a time.")
    temperature: float = number_by_level(
        1.0,
        "Scale of the prior's noise: a number, or one a level, that of level 1 first, such as "
        "0.9,0.8,0.7.",
        least=0,
        rule="finite and >= 0",
    )
    seed: int = integer(0, "Sample number i is a function of the seed and i.", least=0)
    first_index: int = integer(0, "Number of the first sample.", least=0)
    label: str = string(
        None,
        "Of a model with classes: the class of all samples, an integer; or all: sample i is one of "
        "class i mod num_classes, and a grid has a row for each class. Default: all.",
    )
    output: str = path(None, "What to write; default: TRAIN_DIR/samples_seed_SEED and the like.")
    json_path: str = path(
        None,
        "JSON file of the numbers, in the directory of `output`; default: of its name, with "
        "`.json`, or where that is of others, `.FORMAT.json`.",
        flag=False,
    )
    beside_real: bool = boolean(
        None, "Test images beside the grid; default: where they are at hand without a download."
    )

    def __post_init__(self):
        super().__post_init__()
        last = self.first_index + self.num_samples
        if last > _NUM_INDICES:
            raise InputError(
                f"`first_index` + `num_samples` must be at most {_NUM_INDICES}; got {last}."
            )
        is_grid = self.format == "grid"
        if is_grid and self.num_samples > _MAX_GRID_SAMPLES:
            raise InputError(
                f"`num_samples` must be at most {_MAX_GRID_SAMPLES} in a grid; got "
                f"{self.num_samples}. The formats 'png' and 'npz' take any number."
            )
        if self.beside_real and not is_grid:
            raise InputError(
                f"`beside_real` must be None or False unless the format is 'grid'; got True with "
                f"{self.format!r}."
            )
        if self.label is not None and self.label != "all" and not _LABEL.fullmatch(self.label):
            raise InputError(f"`label` must be an integer >= 0 or 'all'; got {self.label!r}.")
        for name in ("dataset", "data_dir", "crop", "resize"):
            if getattr(self, name) is not None and (not is_grid or self.beside_real is False):
                raise InputError(
                    f"`{name}` must be None where there are no real images beside the samples; "
                    f"got {getattr(self, name)!r}."
                )
        self._set("output", self._checked_output())

    @property
    def class_of_all(self):
        """The class of all samples; None where they are of several, or the model has none."""
        return None if self.label in (None, "all") else int(self.label)

    def _checked_output(self):
        suffix = FORMATS[self.format]
        output = self.output
        if output is None:
            name = f"samples_seed_{self.seed}"
            if self.first_index:
                name += f"_from_{self.first_index}"
            if self.temperature != 1.0:
                name += f"_temperature_{temperature_text(self.temperature, '_')}"
            if self.class_of_all is not None:
                name += f"_label_{self.class_of_all}"
            output = os.path.join(self.train_dir, name + suffix)
        output = output.rstrip(os.sep) or output
        ending = os.path.splitext(output)[1]
        if ending != suffix and (suffix or ending in FORMATS.values()):
            wanted = f"end with {suffix!r}" if suffix else "be a directory"
            raise InputError(f"`output` must {wanted} for format {self.format!r}; got {output!r}.")
        return output


def temperature_text(temperature, separator=" / "):
    """A temperature as a text: a number, or one a level in a row."""
    values = temperature if isinstance(temperature, list | tuple) else [temperature]
    return separator.join(f"{value:g}" for value in values)


def check_sampling_arguments(**arguments):
    """Raises `InputError` if one of some fields of a `SampleConfig`, by name, is wrong."""
    SampleConfig(train_dir=os.curdir, format="npz", **{"num_samples": 1} | arguments)

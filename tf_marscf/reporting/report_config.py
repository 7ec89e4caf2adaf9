"""The arguments of a report, checked before TensorFlow starts."""

import dataclasses
import os

from tf_marscf.errors import InputError
from tf_marscf.files.paths import local_path

SECTIONS = (
    "evaluation",
    "training",
    "samples",
    "temperature",
    "interpolation",
    "sampling_time",
    "density",
)
_SUFFIX = ".html"
# The argument with a file to show, by section.
_BENCHMARKS = {"sampling_time": "sampling_benchmark", "density": "density_benchmark"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """What a report shows, and how much is computed for it.

    Attributes:
        train_dir: the training directory, or one of imported weights.
        output: the page; default: TRAIN_DIR/report.html. The files of single figures go into a
            directory of the same name, without `.html`.
        checkpoint: "best" or "latest".
        dataset: name of the data set; default: the one that the model was trained on.
        data_dir: where it is; default: as in training.
        sections: some of `SECTIONS`; the order is that of `SECTIONS`.
        fast: whether fewer samples, pairs and iterations do.
        benchmarks: whether to measure sampling time and density over training, for minutes.
        sampling_benchmark: JSON file of `bin/benchmark.py sampling` to show instead, or None.
        density_benchmark: JSON file of `bin/benchmark.py density` to show instead, or None.

    Raises:
        InputError: from the constructor, naming argument, rule and value seen.
    """

    train_dir: str
    output: str = None
    checkpoint: str = "best"
    dataset: str = None
    data_dir: str = None
    sections: tuple = SECTIONS
    fast: bool = False
    benchmarks: bool = False
    sampling_benchmark: str = None
    density_benchmark: str = None

    def __post_init__(self):
        for name in ("train_dir", "output", *_BENCHMARKS.values()):
            if name == "train_dir" or getattr(self, name) is not None:
                object.__setattr__(self, name, local_path(name, getattr(self, name)))
        output = self.output or os.path.join(self.train_dir, f"report{_SUFFIX}")
        if not output.endswith(_SUFFIX) or os.path.basename(output) == _SUFFIX:
            raise InputError(f"`output` must be a file that ends with {_SUFFIX!r}; got {output!r}.")
        if os.path.isdir(output):
            raise InputError(f"`output` must be a file; {output!r} is a directory.")
        object.__setattr__(self, "output", output)
        unknown = [name for name in self.sections if name not in SECTIONS]
        if unknown or not self.sections:
            raise InputError(
                f"`sections` must be some of {SECTIONS}; got {','.join(self.sections)!r}."
            )
        ordered = tuple(name for name in SECTIONS if name in self.sections)
        object.__setattr__(self, "sections", ordered)
        if self.checkpoint not in ("best", "latest"):
            raise InputError(f"`checkpoint` must be 'best' or 'latest'; got {self.checkpoint!r}.")
        for name in _BENCHMARKS.values():
            path = getattr(self, name)
            if path is not None and not os.path.isfile(path):
                raise InputError(f"`{name}` must be a file; got {path!r}.")
        self._check_that_all_is_used()

    def _check_that_all_is_used(self):
        for section, name in _BENCHMARKS.items():
            path = getattr(self, name)
            if path is not None and section not in self.sections:
                raise InputError(
                    f"`{name}` must be None unless `sections` has {section!r}; got {path!r}."
                )
        measured = [
            section
            for section, name in _BENCHMARKS.items()
            if section in self.sections and getattr(self, name) is None
        ]
        if self.benchmarks and not measured:
            raise InputError(
                "`benchmarks` must be False where `sections` has none of "
                f"{tuple(_BENCHMARKS)} to measure; got True."
            )

    @property
    def directory(self):
        """Where the files of single figures go."""
        return self.output.removesuffix(_SUFFIX)

    @property
    def num_samples(self):
        """Samples beside as many real images."""
        return 16 if self.fast else 64

    @property
    def temperatures(self):
        """Of the rows of samples, ascending."""
        return (0.7, 1.0) if self.fast else (0.5, 0.7, 0.8, 0.9, 1.0)

    @property
    def samples_per_temperature(self):
        """Samples a row."""
        return 10

    @property
    def interpolation(self):
        """Arguments of `InterpolationRun.run`, a dict, and of its `ProjectionConfig`, a dict."""
        if self.fast:
            return {"num_pairs": 2, "num_points": 5, "lambdas": (0.0, 0.2, 0.5, 1.0)}, {
                "num_iterations": 30
            }
        lambdas = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
        return {"num_pairs": 4, "num_points": 7, "lambdas": lambdas}, {}

"""The arguments of a report, checked before TensorFlow starts."""

import dataclasses
import os

from tf_marscf.config_fields import boolean, number_by_level, path, some_of
from tf_marscf.errors import InputError
from tf_marscf.runs.run_config import RestoredRunConfig

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
class ReportConfig(RestoredRunConfig):
    """What a report shows, and how much is computed for it."""

    output: str = path(
        None,
        "The HTML file; default: TRAIN_DIR/report.html. Single figures and tables go into a "
        "directory of its name, without .html.",
    )
    sections: tuple = some_of(SECTIONS, SECTIONS, "What the page shows, always in one order.")
    fast: bool = boolean(False, "Fewer samples, pairs of images and iterations.")
    temperature: float = number_by_level(
        None,
        "A further row of the section 'temperature': a number, or one a level, that of level 1 "
        "first, such as 0.9,0.8,0.7.",
        least=0,
        rule="finite and >= 0",
    )
    benchmarks: bool = boolean(
        False,
        "Measure sampling time and density over training beside other models: takes minutes.",
    )
    sampling_benchmark: str = path(
        None, "JSON file of the sampling benchmark to show instead of measuring."
    )
    density_benchmark: str = path(
        None, "JSON file of the density benchmark to show instead of measuring."
    )

    def __post_init__(self):
        super().__post_init__()
        output = self.output or os.path.join(self.train_dir, f"report{_SUFFIX}")
        if not output.endswith(_SUFFIX) or os.path.basename(output) == _SUFFIX:
            raise InputError(f"`output` must be a file that ends with {_SUFFIX!r}; got {output!r}.")
        if os.path.isdir(output):
            raise InputError(f"`output` must be a file; {output!r} is a directory.")
        self._set("output", output)
        ordered = tuple(name for name in SECTIONS if name in self.sections)
        self._set("sections", ordered)
        if self.temperature is not None and "temperature" not in ordered:
            raise InputError(
                "`temperature` must be None unless `sections` has 'temperature'; got "
                f"{self.temperature!r}."
            )
        measured = []
        for section, name in _BENCHMARKS.items():
            path = getattr(self, name)
            if path is None:
                measured.append(section)
            elif not os.path.isfile(path):
                raise InputError(f"`{name}` must be a file; got {path!r}.")
            elif section not in self.sections:
                raise InputError(
                    f"`{name}` must be None unless `sections` has {section!r}; got {path!r}."
                )
        if self.benchmarks and not set(measured) & set(self.sections):
            raise InputError(
                "`benchmarks` must be False where `sections` has none of "
                f"{tuple(_BENCHMARKS)} to measure; got True."
            )

    @property
    def directory(self):
        """Where the files of single figures go."""
        return self.output.removesuffix(_SUFFIX)

"""A report of an experiment: computes what is missing, and writes one page."""

import datetime
import hashlib
import os

from tf_marscf._version import __version__
from tf_marscf.benchmarks.measurement import machine_facts
from tf_marscf.distributions.sampling_arguments import temperature_by_level
from tf_marscf.errors import InputError, RunError, warn
from tf_marscf.files.atomic_file import atomic_write
from tf_marscf.files.paths import output_directory, output_file
from tf_marscf.files.result_files import write_result
from tf_marscf.reporting.benchmark_sections import (
    density_section,
    read_given_benchmarks,
    sampling_time_section,
)
from tf_marscf.reporting.configuration_section import configuration_section
from tf_marscf.reporting.evaluation_section import evaluation_section
from tf_marscf.reporting.interpolation_section import interpolation_section
from tf_marscf.reporting.page import Section, page_templates
from tf_marscf.reporting.report_context import ReportContext
from tf_marscf.reporting.samples_sections import samples_section, temperature_section
from tf_marscf.reporting.training_section import training_section
from tf_marscf.runs.run_config import FILE_NAME
from tf_marscf.sampling.image_grid import check_drawable

# By name: functions of a `ReportContext` that return a `Section`.
SECTION_MAKERS = {
    "evaluation": evaluation_section,
    "training": training_section,
    "samples": samples_section,
    "temperature": temperature_section,
    "interpolation": interpolation_section,
    "sampling_time": sampling_time_section,
    "density": density_section,
    "configuration": configuration_section,
}
_DRAWN_SECTIONS = {"samples", "temperature", "interpolation"}  # Those that show images.
_MANIFEST = "report.json"


def write_report(config, *, report=print, progress=True, now=None):
    """Computes what is missing and writes the page, and the files of single figures.

    Results that are there are used again if they hold the digest of the checkpoint's weights and
    were measured with the settings of the report; see `find_result`. What needs logs or data that
    are not there is left out, and the page says so. What fails is on the page too, and is raised
    at the end. But for its date, equal results make equal pages. The page and the figures and
    tables of its sections are one result, whose digests are in `report.json` beside the figures.

    Args:
        config: a `ReportConfig`.
        report: called with a line for each result.
        progress: whether to show how far each is, on the standard error stream.
        now: a `datetime.datetime` for the page; default: the time.

    Returns:
        The path of the page.

    Raises:
        InputError, FileNotFoundError, DataUnavailableError: as of `ReportContext` and
            `read_given_benchmarks`.
        RunError: if the results of a section are not finite or cannot be had; the page is written
            before, with all other sections; or if nothing can be written.
    """
    if os.path.isfile(os.path.join(config.directory, FILE_NAME)):
        raise InputError(
            f"`output` must not have the name of a training directory, whose files would be "
            f"replaced; got {config.output!r}."
        )
    output_file("output", config.output)
    output_directory("output", config.directory)
    context = ReportContext(config, read_given_benchmarks(config), report, progress)
    if config.temperature is not None:
        temperature_by_level(config.temperature, context.run.model.num_levels)
    if _DRAWN_SECTIONS & set(config.sections):
        check_drawable(context.run.model.image_shape, "train_dir")
    now = now or datetime.datetime.now(datetime.UTC)
    sections = {}

    def write_files(directory):
        context.new_directory = directory
        for name in (*config.sections, "configuration"):
            sections[name] = _section(name, context)
        content = _page(context, sections, now).encode()
        with atomic_write(config.output) as file:
            file.write(content)
        return {
            "weights": context.weights,
            "page": os.path.basename(config.output),
            "page_sha256": hashlib.sha256(content).hexdigest(),
            "sections": list(sections),
        }

    write_result(os.path.join(config.directory, _MANIFEST), write_files)
    size = os.path.getsize(config.output) / 1e6
    report(f"report: wrote figures and tables of the page into {config.directory}")
    report(f"report: wrote {config.output} ({size:.1f} MB)")
    failures = [f"{name}: {part.failure}" for name, part in sections.items() if part.failure]
    if failures:
        raise RunError(
            f"{len(failures)} of {len(sections)} sections failed "
            f"({'; '.join(failures)}); {config.output} holds the others."
        )
    return config.output


def _section(name, context):
    """A section; where its results cannot be had, one that says so."""
    try:
        return SECTION_MAKERS[name](context)
    except RunError as error:
        warn(f"{name}: {error}")
        return Section(failure=str(error))


def _page(context, sections, now):
    """The text of the page."""
    *_, channels = context.run.model.image_shape
    checkpoint = context.config.checkpoint
    if context.step:
        checkpoint += f", step {context.step:,}"
    machine = machine_facts()
    tiles = [tile for section in sections.values() for tile in section.tiles]
    return (
        page_templates()
        .get_template("page.html")
        .render(
            dataset=context.dataset_name or "Imported weights",
            colours={1: "grey", 3: "colour"}.get(channels, f"{channels}-channel"),
            model=context.run.model,
            facts={
                "Directory": context.config.train_dir,
                "Checkpoint": checkpoint,
                "Weights": context.weights,
                "Made": f"{now:%-d %B %Y, %H:%M} {now.tzname() or ''}".strip(),
                "tf_marscf": __version__,
                "TensorFlow": machine["tensorflow"],
                "TensorFlow Probability": machine["tensorflow-probability"],
                "Keras": machine["keras"],
                "Python": machine["python"],
            },
            tiles=[*tiles, *_tiles(context)],
            sections=sections,
            version=__version__,
        )
    )


def _tiles(context):
    """Key figures that no section has; triples as of `Section`."""
    model, curves = context.run.model, context.curves
    best = curves.best_validation()
    if best:
        step, bits_per_dim = best
        yield f"{bits_per_dim:.3f}", f"validation bits/dim, best, at step {step:,}", ""
    yield f"{context.run.num_parameters:,}", "parameters", ""
    label = "sequential steps a sample (Lemma A.1)" if model.prior == "mar" else "steps a sample"
    yield f"{model.num_sampling_steps}", label, ""
    if curves:
        images = curves.last_step * (context.run.training or {}).get("batch_size", 0)
        label = "training steps" + (f", {images:,} images" if images else "")
        yield f"{curves.last_step:,}", label, ""

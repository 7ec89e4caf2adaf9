"""A report of an experiment: computes what is missing, and writes one page."""

import datetime
import hashlib
import os

from tf_marscf._version import __version__
from tf_marscf.benchmarks.benchmark_output import machine_facts
from tf_marscf.errors import InputError, RunError, warn
from tf_marscf.files.atomic_file import atomic_write
from tf_marscf.files.paths import output_directory, output_file
from tf_marscf.files.result_files import write_result
from tf_marscf.reporting import benchmark_sections
from tf_marscf.reporting.configuration_section import configuration_section
from tf_marscf.reporting.evaluation_section import EvaluationSection, evaluation_section
from tf_marscf.reporting.html_elements import join
from tf_marscf.reporting.html_page import Section, Tile, html_page
from tf_marscf.reporting.interpolation_section import interpolation_section
from tf_marscf.reporting.report_context import ReportContext
from tf_marscf.reporting.samples_section import samples_section
from tf_marscf.reporting.temperature_section import temperature_section
from tf_marscf.reporting.training_curves import TrainingCurves
from tf_marscf.reporting.training_section import training_section
from tf_marscf.runs.run_config import FILE_NAME
from tf_marscf.sampling.image_grid import check_drawable

_TITLES = {
    "evaluation": "Bits per dimension",
    "training": "Training",
    "samples": "Samples",
    "temperature": "Temperature",
    "interpolation": "Interpolation",
    "sampling_time": "Sampling time",
    "density": "Density over training",
}
_COUPLINGS = {"affine": "affine couplings", "mixlogcdf": "MixLogCDF couplings"}
_DRAWN_SECTIONS = ("samples", "temperature", "interpolation")  # Those that show images.
_MANIFEST = "report.json"
_PRIORS = {"mar": "mAR priors", "gaussian": "Gaussian priors"}


def write_report(config, *, report=print, progress=True, now=None):
    """Computes what is missing and writes the page, and the files of single figures.

    Results that are there are used again if they hold the digest of the checkpoint's weights and
    were measured with the settings of the report; see `find_results`. What needs logs or data that
    are not there is left out, and the page says so. What fails is on the page too, and is raised
    at the end. But for its date, equal results make equal pages. The page and the figures and
    tables of its sections are one result, whose digests are in `report.json` beside the figures.

    Args:
        config: a `ReportConfig`.
        report: called with a line for each result.
        progress: whether to show progress bars, on the standard error stream.
        now: a `datetime.datetime` for the page; default: the time.

    Returns:
        The path of the page.

    Raises:
        DataUnavailableError: if a data set that `config` names cannot be had.
        FileNotFoundError: if the directory or checkpoint is missing.
        RunError: if the results of a section are not finite or cannot be had; the page is written
            before, with all other sections; or if nothing can be written.
        InputError: if an argument is wrong.
    """
    if os.path.isfile(os.path.join(config.directory, FILE_NAME)):
        raise InputError(
            f"`output` must not have the name of a training directory, whose files would be "
            f"replaced; got {config.output!r}."
        )
    output_file("output", config.output)
    output_directory("output", config.directory)
    benchmark_sections.check_benchmark_files(config)
    context = ReportContext(config, report, progress)
    if set(_DRAWN_SECTIONS) & set(config.sections):
        check_drawable(context.run.model.image_shape, "train_dir")
    failures = []

    def write_files(directory):
        context.new_directory = directory
        text, sections = _page(context, now or datetime.datetime.now(datetime.UTC))
        failures.extend(f"{part.name}: {part.failure}" for part in sections if part.failure)
        content = text.encode()
        with atomic_write(config.output) as file:
            file.write(content)
        return {
            "weights": context.weights,
            "page": os.path.basename(config.output),
            "page_sha256": hashlib.sha256(content).hexdigest(),
            "sections": [section.name for section in sections],
        }

    manifest = os.path.join(config.directory, _MANIFEST)
    written = write_result(manifest, write_files)
    size = os.path.getsize(config.output) / 1e6
    report(f"report: wrote figures and tables of the page into {config.directory}")
    report(f"report: wrote {config.output} ({size:.1f} MB)")
    if failures:
        raise RunError(
            f"{len(failures)} of {len(written['sections'])} sections failed "
            f"({'; '.join(failures)}); {config.output} holds the others."
        )
    return config.output


def _page(context, now):
    """The text of the page, and its sections."""
    curves = TrainingCurves.load(context.config.train_dir)
    evaluation = EvaluationSection(None)
    sections = []
    for name in context.config.sections:
        section = _made(name, context, curves)
        if isinstance(section, EvaluationSection):
            evaluation, section = section, section.section
        sections.append(section)
    sections.append(configuration_section(context))
    text = html_page(
        _title(context),
        _lead(context),
        _facts(context, now),
        [*evaluation.tiles, *_tiles(context, curves)],
        sections,
        _footer(),
    )
    return text, sections


def _made(name, context, curves):
    """A section; where its results cannot be had, one that says so."""
    makers = {
        "evaluation": evaluation_section,
        "samples": samples_section,
        "temperature": temperature_section,
        "interpolation": interpolation_section,
        "sampling_time": benchmark_sections.sampling_time_section,
        "density": benchmark_sections.density_section,
    }
    try:
        if name == "training":
            return training_section(context, curves)
        return makers[name](context)
    except RunError as error:
        warn(f"{name}: {error}")
        return Section(name, _TITLES[name], join(), failure=str(error))


def _title(context):
    dataset = context.config.dataset or (context.run.data and context.run.data.name)
    height, width, channels = context.run.model.image_shape
    kind = "grey" if channels == 1 else "colour" if channels == 3 else f"{channels}-channel"
    return f"{dataset or 'Imported weights'}, {height} × {width} {kind} images"


def _lead(context):
    model = context.run.model
    return (
        f"mAR-SCF with {_COUPLINGS[model.coupling]} and {_PRIORS[model.prior]}: "
        f"L = {model.num_levels} levels of K = {model.num_steps} steps, "
        f"C = {model.hidden_channels} hidden channels."
    )


def _facts(context, now):
    checkpoint = context.config.checkpoint
    if context.step:
        checkpoint += f", step {context.step:,}"
    machine = machine_facts()
    return {
        "Directory": context.config.train_dir,
        "Checkpoint": checkpoint,
        "Weights": context.weights,
        "Made": f"{now:%-d %B %Y, %H:%M} {now.tzname() or ''}".strip(),
        "tf_marscf": __version__,
        "TensorFlow": machine["tensorflow"],
        "TensorFlow Probability": machine["tensorflow-probability"],
        "Keras": machine["keras"],
        "Python": machine["python"],
    }


def _tiles(context, curves):
    best = curves.best_validation()
    if best:
        step, bits_per_dim = best
        yield Tile(f"{bits_per_dim:.3f}", f"validation bits/dim, best, at step {step:,}")
    yield Tile(f"{context.num_parameters:,}", "parameters")
    model = context.run.model
    yield Tile(
        f"{model.num_sampling_steps}",
        "sequential steps a sample (Lemma A.1)" if model.prior == "mar" else "steps a sample",
    )
    if curves:
        training = context.run.training or {}
        images = curves.last_step * training.get("batch_size", 0)
        yield Tile(
            f"{curves.last_step:,}",
            "training steps" + (f", {images:,} images" if images else ""),
        )


def _footer():
    return join(
        f"Made by tf_marscf {__version__}. All figures and numbers are in this file; it loads "
        "nothing. References to figures, equations and lemmas are to “Normalizing Flows with "
        "Multi-Scale Autoregressive Priors” (CVPR 2020)."
    )

"""Bits/dim of the test set and what it is made of, and the quality of samples."""

import dataclasses
import os

from tf_marscf.evaluation.bits_per_dim import BitsPerDim
from tf_marscf.evaluation.evaluation_report import check_evaluation, write_evaluation
from tf_marscf.figures import render_png, save_figure
from tf_marscf.files.text_files import write_csv
from tf_marscf.reporting.bits_per_dim_figure import draw_bits_per_dim_terms
from tf_marscf.reporting.html_elements import element, join, table
from tf_marscf.reporting.html_page import Section, Tile, figure, note, paragraphs, wide_figure
from tf_marscf.reporting.stored_results import find_results, read_bytes

TITLE = "Bits per dimension"
_FILE, _FIGURE, _TABLE = "evaluation_test.json", "bits_per_dim.png", "bits_per_dim.csv"
_SIZE = (7.5, 3.4)
_METRICS = {
    "fid": "FID",
    "kid": "KID",
    "inception_score": "Inception score",
}


@dataclasses.dataclass(frozen=True)
class EvaluationSection:
    """The section, and the key figures that come from it."""

    section: Section
    tiles: tuple = ()


def evaluation_section(context):
    """Evaluates the model, unless a result of its weights is there already.

    Args:
        context: the `ReportContext`.

    Returns:
        An `EvaluationSection`.

    Raises:
        RunError: if bits/dim is not finite.
    """
    found = _stored(context)
    if found is None:
        if context.dataset is None:
            return EvaluationSection(Section("evaluation", TITLE, note(context.dataset_problem)))
        context.report("evaluation: scoring the test images")
        evaluation = write_evaluation(
            context.config.train_dir,
            which=context.config.checkpoint,
            dataset=context.config.dataset,
            data_dir=context.config.data_dir,
            json_path=context.path(_FILE),
            report=context.report,
            progress=context.progress,
        )
        path, content = evaluation.json_path, evaluation.to_dict()
        context.report(f"evaluation: wrote {path}")
    else:
        path, content = found
        context.report(f"evaluation: {path} is of these weights, used again")
    bits_per_dim = BitsPerDim.from_dict(content)
    size = (_SIZE[0], 1.3 + 0.3 * len(bits_per_dim.terms))

    def draw(figure):
        draw_bits_per_dim_terms(figure, bits_per_dim)

    save_figure(context.new_path(_FIGURE), draw, size)
    write_csv(context.new_path(_TABLE), ["term", "bits_per_dim"], _term_rows(bits_per_dim))
    chart = wide_figure(
        f"Bar chart of the terms of {bits_per_dim.mean:.3f} bits/dim.",
        lambda theme: render_png(draw, size, theme),
        size,
    )
    body = join(
        paragraphs(_summary(content, bits_per_dim)),
        table(
            ["term", "#bits/dim", "meaning"],
            [
                (row["label"], f"{row['bits_per_dim']:+.4f}".replace("-", "−"), row["meaning"])
                for row in _labelled(bits_per_dim)
            ],
            caption="Terms of bits/dim, means over images",
        ),
        figure(
            chart,
            "Bits/dim, built up term by term (Eq. 4). Negative terms make the images more likely. "
            "More bits are worse.",
            _commands(context, path, content),
            [(name, read_bytes(place)) for name, place in (
                (_TABLE, context.new_path(_TABLE)), (os.path.basename(path), path))],
        ),
        _quality(content.get("quality")),
    )  # fmt: skip
    return EvaluationSection(
        Section("evaluation", TITLE, body), tuple(_tiles(content, bits_per_dim))
    )


def _stored(context):
    """The most thorough evaluation that is there, or None."""
    config = context.config
    name = config.dataset or (context.run.data and context.run.data.name)
    if name is None:
        return None
    places = [
        context.path(_FILE),
        context.train_path(os.path.join("report", _FILE)),
        context.train_path(_FILE),
    ]
    places.append(context.train_path(f"evaluation_{name.replace('/', '_')}_test.json"))
    expected = {"split": "test", "dataset": name}
    if context.dataset is not None:
        expected["num_images"] = context.dataset.num_test_images
    found = find_results(context, dict.fromkeys(places), check_evaluation, **expected)
    return max(
        found,
        key=lambda result: (result[1].get("quality") is not None, result[1]["num_samples"]),
        default=None,
    )


def _summary(content, bits_per_dim):
    draws = "one draw" if bits_per_dim.num_samples == 1 else f"{bits_per_dim.num_samples} draws"
    score = str(bits_per_dim).replace("+-", "±")
    return (
        f"{score} bits/dim on the {bits_per_dim.num_images:,} test images of {content['dataset']} "
        f"(mean and its standard error over images; {draws} of dequantization "
        "noise an image, no dropout)."
    )


def _labelled(bits_per_dim):
    """A dict for each term: `term`, `label`, `meaning` and `bits_per_dim`."""
    labels = {
        "grey_levels": ("grey levels", "width of a grey level"),
        "log_det": ("log-det", "volume change of all levels' flows"),
        "importance_weighting": (
            "importance weighting",
            "what the bound over many draws gains over one draw",
        ),
    }
    for name, value in bits_per_dim.terms.items():
        if value == 0.0 and name == "importance_weighting":
            continue
        level = name.rpartition("_")[2]
        label, meaning = labels.get(
            name, (f"prior, level {level}", f"the prior of the latent maps l_{level}")
        )
        yield {"term": name, "label": label, "meaning": meaning, "bits_per_dim": value}
    yield {
        "term": "bits_per_dim",
        "label": "bits/dim",
        "meaning": "the sum",
        "bits_per_dim": bits_per_dim.mean,
    }


def _term_rows(bits_per_dim):
    rows = [
        {name: row[name] for name in ("term", "bits_per_dim")} for row in _labelled(bits_per_dim)
    ]
    for level, value in enumerate(bits_per_dim.log_det_by_level, 1):
        rows.append({"term": f"log_det_level_{level}", "bits_per_dim": value})
    return rows


def _commands(context, path, content):
    """Of the numbers, and of the picture."""
    flags = {
        **context.model_flags,
        "num_samples": None if content["num_samples"] == 1 else content["num_samples"],
        "seed": content["seed"] or None,
        **_quality_flags(content.get("quality")),
        "json": path,
    }
    return [
        context.command("evaluate.py", **flags),
        context.command(
            "report.py",
            **context.model_flags,
            sections="evaluation",
            output=context.path("evaluation.html"),
        ),
    ]


def _quality_flags(quality):
    if quality is None:
        return {}
    # A Keras model is named by its file, and the layer.
    file, _, layer = quality["feature_extractor"].partition(", layer ")
    is_inception = file.startswith("Inception v3")
    has_features = quality["fid"] is not None or quality["kid"] is not None
    flags = {
        "metrics": [name for name in _METRICS if quality[name] is not None],
        "num_generated": quality["num_samples"] + quality["num_non_finite"],
        "reference_split": quality["reference_split"] if has_features else None,
        "temperature": quality["temperature"],
        "kid_block_size": quality.get("kid_block_size") if quality["kid"] is not None else None,
    }
    if not is_inception:
        flags |= {
            "feature_extractor": file,
            "feature_layer": layer or None,
            "pixel_range": quality.get("pixel_range"),
        }
    return flags


def _quality_texts(quality):
    """Name, value and spread of each metric that was measured."""
    for name, label in _METRICS.items():
        measured = quality[name]
        if measured is None:
            continue
        if name == "fid":
            yield label, f"{measured:.2f}", ""
            continue
        spread = measured.get("standard_error", measured.get("standard_deviation"))
        digits = 4 if name == "kid" else 2
        value = f"{measured['mean']:.{digits}f}"
        yield label, value, "" if spread is None else f"± {spread:.{digits}f}"


def _quality(quality):
    title = element("h3", "Quality of samples")
    if quality is None:
        return join(
            title,
            element(
                "p",
                "FID, KID and Inception score were not measured: ",
                element("code", "evaluate.py --metrics=fid,kid"),
                " measures them, and the next report shows them.",
            ),
        )
    left_out = ""
    if quality["num_non_finite"]:
        left_out = (
            f" {quality['num_non_finite']:,} further samples were not finite and are left out."
        )
    return join(
        title,
        table(
            ["metric", "#value", "spread"],
            _quality_texts(quality),
            caption=f"{quality['num_samples']:,} samples at temperature "
            f"{quality['temperature']:g}, against {quality['num_reference_images']:,} "
            f"{quality['reference_split']} images",
        ),
        paragraphs(
            f"Features: {quality['feature_extractor']}; images {quality['feature_input']}."
            f"{left_out}"
        ),
    )


def _tiles(content, bits_per_dim):
    error = bits_per_dim.standard_error
    yield Tile(
        f"{bits_per_dim.mean:.3f}",
        f"bits/dim, {bits_per_dim.num_images:,} test images",
        "" if error is None else f"± {error:.3f}",
    )
    quality = content.get("quality")
    for label, value, spread in _quality_texts(quality) if quality else ():
        yield Tile(value, f"{label}, {quality['num_samples']:,} samples", spread)

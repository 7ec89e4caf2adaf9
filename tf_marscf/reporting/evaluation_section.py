"""Bits/dim of the test set and what it is made of, and the quality of samples."""

import itertools

from tf_marscf.evaluation.bits_per_dim import BitsPerDim
from tf_marscf.evaluation.classification import Classification
from tf_marscf.evaluation.evaluation_config import EvaluationConfig
from tf_marscf.evaluation.evaluation_report import check_evaluation, write_evaluation
from tf_marscf.files.atomic_file import write_csv
from tf_marscf.reporting.page import Section
from tf_marscf.reporting.report_context import download

_FILE, _FIGURE, _TABLE = "evaluation_test.json", "bits_per_dim.png", "bits_per_dim.csv"
_METRICS = {"fid": "FID", "kid": "KID", "inception_score": "Inception score"}
# What to call a term, and what it is; see `_terms` for the priors.
_TERMS = {
    "grey_levels": ("grey levels", "width of a grey level"),
    "log_det": ("log-det", "volume change of all levels' flows"),
    "dequantization": ("dequantization", "log-density of the noise, which is learned"),
    "importance_weighting": (
        "importance weighting",
        "what the bound over many draws gains over one draw",
    ),
}


def evaluation_section(context):
    """Evaluates the model, unless a result of its weights is there already.

    Raises:
        RunError: if bits/dim is not finite.
    """
    path, content = _stored(context)
    if content is None and context.dataset is None:
        return Section(notes=(context.dataset_problem,))
    content = context.stored_or_made(
        "evaluation",
        content,
        path,
        "scoring the test images",
        lambda: write_evaluation(
            EvaluationConfig(**context.restored_fields, json=path),
            report=context.report,
            progress=context.progress,
        )[0],
    )
    bits_per_dim = BitsPerDim.from_dict(content)
    terms = list(_terms(bits_per_dim))
    log_dets = enumerate(bits_per_dim.log_det_by_level, 1)
    rows = [{"term": name, "bits_per_dim": value} for name, _, _, value in terms]
    rows += [{"term": f"log_det_level_{level}", "bits_per_dim": value} for level, value in log_dets]
    write_csv(context.new_path(_TABLE), list(rows[0]), rows)
    quality, classes = content.get("quality"), content.get("classes")
    metrics = list(_metrics(quality))
    classification = None if classes is None else Classification.from_dict(classes)
    values = {
        "bits_per_dim": bits_per_dim,
        "dataset": content["dataset"],
        "terms": [
            (label, f"{value:+.4f}".replace("-", "−"), meaning)
            for _, label, meaning, value in terms
        ],
        "picture": context.picture(
            f"Bar chart of the terms of {bits_per_dim.mean:.3f} bits/dim.",
            lambda figure: draw_bits_per_dim_terms(figure, bits_per_dim),
            (7.5, 1.3 + 0.3 * len(bits_per_dim.terms)),
            _FIGURE,
        ),
        "commands": [
            context.command("evaluate", **_evaluation_flags(content), json=path),
            context.section_command("evaluation"),
        ],
        "files": [download(context.new_path(_TABLE)), download(path)],
        "classification": classification,
        "quality": quality,
        "metrics": metrics,
    }
    error = bits_per_dim.standard_error
    label = f"bits/dim, {bits_per_dim.num_images:,} test images"
    tiles = [(f"{bits_per_dim.mean:.3f}", label, "" if error is None else f"± {error:.3f}")]
    if classification is not None:
        error = classification.accuracy_standard_error
        spread = "" if error is None else f"± {error:.1%}"
        tiles.append(
            (
                f"{classification.accuracy:.1%}",
                f"accuracy, {classes['num_classes']} classes",
                spread,
            )
        )
    tiles += [
        (value, f"{label}, {quality['num_samples']:,} samples", spread)
        for label, value, spread in metrics
    ]
    return Section(values, tiles=tuple(tiles))


def draw_bits_per_dim_terms(figure, bits_per_dim):
    """Draws the terms of a `BitsPerDim` one below the other, each from where the last one ends."""
    *terms, total = _terms(bits_per_dim)
    terms = [term for term in terms if term[3] != 0.0]
    values = [value for *_, value in terms]
    ends = list(itertools.accumulate(values))
    starts = [0.0, *ends[:-1], 0.0]
    labels = [label.replace(",", "") for _, label, *_ in [*terms, total]]
    # More bits are worse: each kind has a colour of its own.
    colours = ["C1" if value > 0.0 else "C0" for value in values] + ["C6"]
    texts = [f"{value:+.3f}" for value in values] + [str(bits_per_dim)]
    values.append(bits_per_dim.mean)
    axes = figure.add_subplot()
    axes.barh(labels, values, left=starts, color=colours, height=0.65)
    for row, (value, start, text) in enumerate(zip(values, starts, texts, strict=True)):
        place = (max(start, start + value), row)
        axes.annotate(text, place, xytext=(4, 0), textcoords="offset points", va="center")
    for row, end in enumerate(ends):
        axes.plot([end, end], [row, row + 1], color="C6", linewidth=0.8)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_axisbelow(True)
    # Room for the text beside the longest bar.
    axes.set_xlim(min(0.0, *starts, *ends), 1.2 * max(*starts, *ends, 0.0))
    axes.set_xlabel(f"bits/dim, mean over {bits_per_dim.num_images} images")


def _terms(bits_per_dim):
    """Name, label, meaning and bits/dim of each term, and of their sum."""
    for name, value in bits_per_dim.terms.items():
        level = name.rpartition("_")[2]
        label, meaning = _TERMS.get(
            name, (f"prior, level {level}", f"the prior of the latent maps l_{level}")
        )
        if name != "importance_weighting" or value != 0.0:
            yield name, label, meaning, value
    yield "bits_per_dim", "bits/dim", "the sum", bits_per_dim.mean


def _stored(context):
    """Path and content of the most thorough evaluation that is there; without one, None."""
    place, name = context.path(_FILE), context.dataset_name
    if name is None:
        return place, None
    paths = [
        place,
        context.train_path(f"report/{_FILE}"),
        context.train_path(_FILE),
        context.train_path(f"evaluation_{name.replace('/', '_')}_test.json"),
    ]
    expected = {"split": "test", "dataset": name}
    if context.dataset is not None:
        expected["num_images"] = context.dataset.num_test_images
    found = {
        path: context.find_result(path, check_evaluation, **expected)
        for path in dict.fromkeys(paths)
    }
    return max(
        ((path, content) for path, content in found.items() if content is not None),
        key=lambda result: (result[1].get("quality") is not None, result[1]["num_samples"]),
        default=(place, None),
    )


def _evaluation_flags(content):
    flags = {
        "num_samples": None if content["num_samples"] == 1 else content["num_samples"],
        "seed": content["seed"] or None,
    }
    quality = content.get("quality")
    if quality is None:
        return flags
    # A Keras model is named by its file, and the layer.
    file, _, layer = quality["feature_extractor"].partition(", layer ")
    has_features = quality["fid"] is not None or quality["kid"] is not None
    flags |= {
        "metrics": [name for name in _METRICS if quality[name] is not None],
        "num_generated": quality["num_samples"] + quality["num_non_finite"],
        "reference_split": quality["reference_split"] if has_features else None,
        "temperature": quality["temperature"],
        "kid_block_size": quality.get("kid_block_size") if quality["kid"] is not None else None,
    }
    if not file.startswith("Inception v3"):
        flags |= {
            "feature_extractor": file,
            "feature_layer": layer or None,
            "pixel_range": quality.get("pixel_range"),
        }
    return flags


def _metrics(quality):
    """Label, value and spread of each metric that was measured."""
    for name, label in _METRICS.items() if quality else ():
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

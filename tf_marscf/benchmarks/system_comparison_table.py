"""The table of a comparison of systems: a row a model, and what sets each apart from mAR-SCF."""

from tf_marscf.benchmarks.comparison_models import other_count
from tf_marscf.benchmarks.model_kinds import MODEL_LABELS
from tf_marscf.rules import integer, number, optional, text

# Rules of the entries of a row, in their order.
COLUMNS = {
    "model": text(*MODEL_LABELS),
    "width": optional(integer(1)),
    "num_parameters": optional(integer(1)),
    "num_dequantizer_parameters": optional(integer()),
    "step": integer(),
    "training_seconds": number(0.0),
    "bits_per_dim": optional(number()),
    "standard_error": optional(number(0.0)),
    "kid": optional(number()),
    "kid_standard_error": optional(number(0.0)),
    "fid": optional(number(0.0)),
    "num_samples": integer(),
    "num_non_finite": integer(),
    "seconds_per_sample": optional(number(0.0)),
    "sequential_steps": optional(integer(1)),
    "seconds_per_density": optional(number(0.0)),
    "start_memory_bytes": optional(integer()),
    "peak_memory_bytes": optional(integer()),
    "notes": optional(text()),
}
_MEBIBYTE = 2**20
_HEAD = (
    "model",
    "parameters",
    "steps",
    "s of training",
    "bits/dim",
    "KID",
    "FID",
    "samples",
    "s a sample",
    "sequential steps",
    "s a density",
    "peak MiB",
    "notes",
)


def table_row(kind, training, measurement, config):
    """The row of one model, but for the scores of its samples; a dict.

    Args:
        kind: a key of `MODEL_LABELS`.
        training: its `ResumableTraining`.
        measurement: its `SystemMeasurement`, or None.
        config: the `SystemComparisonConfig`.
    """
    row = {"model": kind, "step": training.steps, "training_seconds": training.seconds}
    row |= {"num_samples": 0, "num_non_finite": 0}
    notes = [
        f"{word}: {reason}" for word in ("stopped", "failed") if (reason := getattr(training, word))
    ]
    if training.rows:
        names = ("width", "num_parameters", "num_dequantizer_parameters", "sequential_steps")
        row |= {name: training.rows[-1][name] for name in names}
        row |= {name: training.rows[-1][name] for name in ("bits_per_dim", "standard_error")}
    if measurement is not None and measurement.num_drawn:
        row |= {
            "start_memory_bytes": measurement.start_memory,
            "peak_memory_bytes": measurement.peak_memory,
            "seconds_per_sample": measurement.seconds_per_image("sample"),
        }
        if measurement.density_seconds:
            row["seconds_per_density"] = measurement.seconds_per_image("density")
        if measurement.num_drawn < config.num_samples and not measurement.failed:
            notes.append(
                f"sampling cut after {sum(measurement.sample_seconds):.0f} s: "
                f"{measurement.num_drawn} of {config.num_samples}"
            )
    if measurement is not None and measurement.failed:
        notes.append(f"failed: {measurement.failed}")
    return row | {"notes": "; ".join(notes) or None}


def note_other_counts(rows):
    """Adds a note to rows whose parameters are not within a tenth of those of "mar"."""
    (target,) = (row["num_parameters"] for row in rows if row["model"] == "mar")
    for row in rows:
        if target and row["num_parameters"]:
            note = other_count(MODEL_LABELS["mar"], row["num_parameters"], target)
            row["notes"] = "; ".join(filter(None, [row["notes"], note])) or None


def markdown(result):
    """The content of `compare.json` as Markdown: the table, and what its figures mean."""
    lines = [_HEAD, ["---"] * len(_HEAD), *map(_cells, result["rows"])]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    notes = [*_notes(result), *_differences(result["rows"])]
    return table + "\n" + "".join(f"- {note}\n" for note in notes)


def score_text(row, name, form, error="standard_error"):
    """A figure of a row with its standard error, if it has one; "-" for None."""
    if row.get(name) is None:
        return "-"
    text = f"{row[name]:{form}}"
    return text if row.get(error) is None else f"{text} +- {row[error]:{form}}"


def _cells(row):
    count = score_text(row, "num_parameters", ",", None)
    if row["num_dequantizer_parameters"]:
        count += f" + {row['num_dequantizer_parameters']:,}"
    samples = f"{row['num_samples']:,}"
    if row["num_non_finite"]:
        samples += f" ({row['num_non_finite']:,} not finite)"
    start, peak = (
        "-" if row[name] is None else f"{row[name] / _MEBIBYTE:,.0f}"
        for name in ("start_memory_bytes", "peak_memory_bytes")
    )
    return [
        MODEL_LABELS[row["model"]],
        count,
        f"{row['step']:,}",
        f"{row['training_seconds']:.0f}",
        score_text(row, "bits_per_dim", ".4f"),
        score_text(row, "kid", ".4f", "kid_standard_error"),
        score_text(row, "fid", ".2f", None),
        samples,
        score_text(row, "seconds_per_sample", ".3g", None),
        score_text(row, "sequential_steps", ",", None),
        score_text(row, "seconds_per_density", ".3g", None),
        peak if start == "-" else f"{peak} ({start} before the model)",
        row["notes"] or "",
    ]


def _notes(result):
    data, quality = result["data"], result["quality"]
    height, width, channels = data["image_shape"]
    batch_size = result["config"]["measured_batch_size"]
    yield (
        f"{result['config']['dataset']}, {height}x{width}x{channels}; bits/dim of the first "
        f"{data['num_evaluation_images']:,} test images, with their standard error; seconds are "
        f"medians over batches of {batch_size}."
    )
    if quality["note"]:
        yield f"{quality['note'].rstrip('.')}."
    if quality["extractor"] is None:
        return
    if quality["classifier"]:
        accuracy = quality["classifier"]["accuracy"]
        yield (
            f"KID and FID by the features of a {quality['extractor']}, trained here: "
            f"{accuracy:.1%} of the test images right. They compare within this table only."
        )
    else:
        yield f"KID and FID by {quality['extractor']}."
    real = quality["real_images"]
    yield (
        f"The first {quality['num_samples']:,} samples of each model against "
        f"{quality['num_reference_images']:,} test images. {real['num_images']:,} training images "
        f"in their place: KID {score_text(real, 'kid', '.4f', 'kid_standard_error')}, FID "
        f"{score_text(real, 'fid', '.2f', None)}. FID is biased by the number of samples; KID is "
        "not."
    )


def _differences(rows):
    """What each model gives up and gains against mAR-SCF, a line each."""
    (mar,) = (row for row in rows if row["model"] == "mar")
    for row in rows:
        parts = []
        for name, label in (("bits_per_dim", "bits/dim"), ("kid", "KID"), ("fid", "FID")):
            if row is not mar and row[name] is not None and mar[name] is not None:
                parts.append(f"{label} {row[name] - mar[name]:+.4f}")
        if row is not mar and row["seconds_per_sample"] and mar["seconds_per_sample"]:
            ratio = row["seconds_per_sample"] / mar["seconds_per_sample"]
            parts.append(f"a sample takes {ratio:.3g} times as long")
        if parts:
            label = MODEL_LABELS[row["model"]]
            yield f"{label}, less {MODEL_LABELS['mar']}: {', '.join(parts)}."

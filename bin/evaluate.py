#!/usr/bin/env python
"""Scores a trained model: `python bin/evaluate.py --train_dir=runs/digits`."""

from absl import flags

from tf_marscf.commands import command_line
from tf_marscf.commands.given_flags import refuse_given

_SPLITS = ["train", "validation", "test"]

command_line.define_path("train_dir", None, "Directory of a training run or import.", required=True)
flags.DEFINE_enum("checkpoint", "best", ["best", "latest"], "Which weights.")
flags.DEFINE_string("dataset", None, "Data set; default: the one that it was trained on.")
command_line.define_path("data_dir", None, "Where the data set is; default: as in training.")
flags.DEFINE_enum("split", "test", _SPLITS, "The images whose bits/dim is measured.")
flags.DEFINE_integer(
    "batch_size", None, "Images at a time; default: as in training.", lower_bound=1
)
flags.DEFINE_integer(
    "num_samples", 1, "Draws of noise an image; more give a tighter bound.", lower_bound=1
)
flags.DEFINE_integer("seed", 0, "Seed of the noise, and of the samples.", lower_bound=0)
command_line.define_path(
    "json", None, "JSON file to write; default: TRAIN_DIR/evaluation_SPLIT.json."
)
flags.DEFINE_list(
    "metrics", [], "Quality of samples, some of fid,kid,inception_score; default: none."
)
command_line.define_path(
    "inception_weights",
    None,
    "File of the original Inception weights, for figures that compare with published ones; "
    "default: what PyTorch has in its cache, or else downloads.",
)
command_line.define_path(
    "feature_extractor",
    None,
    "A .keras file or SavedModel to use instead of Inception. A SavedModel is a program, which can "
    "read and write files: take one only from whom you trust.",
)
flags.DEFINE_string(
    "feature_layer", None, "Layer of that Keras model that gives the features; default: the output."
)
flags.DEFINE_list(
    "pixel_range", ["0", "255"], "Values that that model wants for grey levels 0 and 255."
)
flags.DEFINE_enum(
    "reference_split", "test", _SPLITS, "The real images that samples are compared with."
)
flags.DEFINE_integer(
    "num_generated", None, "Samples for --metrics; default: as many as real images.", lower_bound=2
)
flags.DEFINE_float("temperature", 1.0, "Scale of the prior's noise, for --metrics.")
flags.DEFINE_integer("kid_block_size", 1000, "Images in a block of KID.", lower_bound=2)
flags.DEFINE_enum("progress", "bar", ["bar", "none"], "What is shown while samples are drawn.")


_QUALITY_FLAGS = (
    "inception_weights",
    "feature_extractor",
    "feature_layer",
    "pixel_range",
    "reference_split",
    "num_generated",
    "temperature",
    "kid_block_size",
)


def refuse_flags_without_effect(values):
    """Refuses what was given and has no effect."""
    if not values.metrics:
        refuse_given(_QUALITY_FLAGS, "without --metrics")
    if values.feature_extractor is None:
        refuse_given(["feature_layer", "pixel_range"], "without --feature_extractor")
    if "kid" not in values.metrics:
        refuse_given(["kid_block_size"], "unless --metrics has kid")
    if not {"fid", "kid"} & set(values.metrics):
        refuse_given(["feature_layer"], "unless --metrics has fid or kid")
        if values.num_generated is not None:
            refuse_given(["reference_split"], "with --num_generated for the Inception score alone")


def main():
    """Prints one line a result."""
    values = flags.FLAGS
    refuse_flags_without_effect(values)
    command_line.start_tensorflow()
    from tf_marscf.evaluation.evaluation_report import write_evaluation
    from tf_marscf.quality.quality_config import QualityConfig

    quality = None
    if values.metrics:
        quality = QualityConfig(
            metrics=values.metrics,
            num_images=values.num_generated,
            reference_split=values.reference_split,
            temperature=values.temperature,
            kid_block_size=values.kid_block_size,
            inception_weights=values.inception_weights,
            feature_extractor=values.feature_extractor,
            feature_layer=values.feature_layer,
            pixel_range=values.pixel_range,
        )
    evaluation = write_evaluation(
        values.train_dir,
        which=values.checkpoint,
        dataset=values.dataset,
        data_dir=values.data_dir,
        split=values.split,
        batch_size=values.batch_size,
        num_samples=values.num_samples,
        seed=values.seed,
        quality=quality,
        json_path=values.json,
        progress=values.progress == "bar",
    )
    print(f"numbers: {evaluation.json_path}")


if __name__ == "__main__":
    command_line.run(main)

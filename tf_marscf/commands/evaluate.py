"""Scores a trained model: `python bin/evaluate.py --train_dir=runs/digits`."""

import functools

from absl import flags

from tf_marscf.commands import command_line
from tf_marscf.config_fields import fields_with_flags
from tf_marscf.evaluation.evaluation_config import EvaluationConfig
from tf_marscf.quality.quality_config import QualityConfig


def define_flags():
    """Defines the flags."""
    command_line.define_flags(EvaluationConfig)
    command_line.define_flags(QualityConfig, metrics=())
    command_line.define_progress()


def refuse_flags_without_effect(values):
    """Refuses what was given and has no effect."""
    if not values.metrics:
        names = [flag for _, flag in fields_with_flags(QualityConfig) if flag != "metrics"]
        command_line.refuse_given(names, "without --metrics")
    if values.feature_extractor is None:
        command_line.refuse_given(["feature_layer", "pixel_range"], "without --feature_extractor")
    if "kid" not in values.metrics:
        command_line.refuse_given(["kid_block_size"], "unless --metrics has kid")
    if not {"fid", "kid"} & set(values.metrics):
        command_line.refuse_given(["feature_layer"], "unless --metrics has fid or kid")
        if values.num_generated is not None:
            command_line.refuse_given(
                ["reference_split"], "with --num_generated for the Inception score alone"
            )


def main():
    """Prints one line a result."""
    values = flags.FLAGS
    refuse_flags_without_effect(values)
    config = EvaluationConfig(**command_line.flag_values(EvaluationConfig))
    quality = None
    if values.metrics:
        quality = QualityConfig(**command_line.flag_values(QualityConfig))
    model = command_line.model_in(config.train_dir)
    measured = "".join(f", {name}" for name in values.metrics)
    command_line.start_tensorflow(
        f"Measures bits/dim{measured} with {model} on its {config.split} images",
        command_line.time_depends_on("the number of images, the draws of noise and the model"),
    )
    from tf_marscf.evaluation.evaluation_report import write_evaluation

    _, json_path = write_evaluation(config, quality, progress=values.progress == "bar")
    print(f"numbers: {json_path}")


run = functools.partial(command_line.run, main, define_flags)

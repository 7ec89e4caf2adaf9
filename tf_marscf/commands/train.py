"""Trains a mAR-SCF model: `python bin/train.py --flagfile=digits.flags`."""

import functools
import sys

from absl import flags

from tf_marscf.commands import command_line, recipes
from tf_marscf.config import DequantizationConfig, MarScfConfig, check_model_options
from tf_marscf.data import DataConfig
from tf_marscf.errors import InputError
from tf_marscf.runs.run_config import PixelConfig, RunConfig
from tf_marscf.training.stop_signals import StopSignals
from tf_marscf.training.training_config import TrainingConfig, tiny, tiny_dequantization


def define_flags():
    """Defines the flags."""
    for config_class in (
        MarScfConfig,
        DequantizationConfig,
        TrainingConfig,
        DataConfig,
        PixelConfig,
    ):
        command_line.define_flags(config_class)
    command_line.define_path(
        "train_dir",
        None,
        "Directory for everything that the run writes; needed but for a dry run.",
    )
    flags.DEFINE_boolean(
        "dry_run",
        False,
        "Load the images, say what they are and whether the flags suit them, and stop: nothing is "
        "downloaded, built or written.",
    )
    flags.register_multi_flags_validator(
        ["train_dir", "dry_run"],
        lambda values: values["dry_run"] or values["train_dir"] is not None,
        "Flag --train_dir must have a value other than None.",
    )
    flags.DEFINE_string(
        "recipe",
        recipes.DEFAULT,
        "Named values, such as paper for the published ones, instead of the flagfile's; flags of "
        "the command line win over both.",
    )
    flags.DEFINE_boolean(
        "deterministic", True, "Use operations that repeat to the last bit; slower on some GPUs."
    )
    flags.DEFINE_boolean(
        "tiny", False, "A tiny model on 64 images in TRAIN_DIR_tiny: does all of it run?"
    )
    command_line.define_path(
        "initial_weights", None, "Directory, such as an import, whose weights and model to train."
    )
    flags.DEFINE_enum(
        "progress", "auto", ["auto", "bar", "line", "none"], "What each epoch prints."
    )


def initial_model_options(directory):
    """The model of `--initial_weights`; flags may repeat it, and not contradict it."""
    model = RunConfig.load(directory, "initial_weights").model
    options = {name: getattr(model, name) for name in command_line.flag_values(MarScfConfig)}
    for name, value in options.items():
        flag = flags.FLAGS[name]
        # One integer stands for as many levels as there are.
        values = (value, value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value)
        if flag.present and flag.value not in values:
            raise InputError(
                f"`{name}` must be that of `initial_weights`, {value!r}; got {flag.value!r}."
            )
    return options


def dequantization_of_flags():
    """The `DequantizationConfig`; None for that of `--initial_weights`, which needs no flag."""
    config = DequantizationConfig(**command_line.flag_values(DequantizationConfig))
    is_given = flags.FLAGS["dequantization"].present
    return config if is_given or flags.FLAGS.initial_weights is None else None


def main():
    """Trains, and prints one line with the result at the end."""
    with StopSignals() as signals:
        train(signals)


def train(signals):
    """Checks the flags, trains, evaluates and draws samples."""
    values = flags.FLAGS
    recipes.check_recipe(sys.argv)
    _, recipe = recipes.with_recipe(sys.argv)
    model_options = command_line.flag_values(MarScfConfig)
    check_model_options(model_options)
    training = TrainingConfig(**command_line.flag_values(TrainingConfig))
    data = DataConfig(**command_line.flag_values(DataConfig))
    dequantization = dequantization_of_flags()
    if values.initial_weights is not None:
        model_options = initial_model_options(values.initial_weights)
    command_line.refuse_flags_without_effect(vars(training) | model_options)
    train_dir = values.train_dir
    if values.tiny:
        train_dir, data, model_options, training = tiny(train_dir, data, model_options, training)
        dequantization = dequantization and tiny_dequantization(dequantization)
    options = {
        "published_scaling": values.published_scaling,
        "initial_weights": values.initial_weights,
        "dequantization": dequantization,
    }
    if values.dry_run:
        command_line.start_tensorflow(
            f"Looks at the images of {data.name} and at the flags, and stops",
            "How long it takes depends on the number of images, all of which are loaded.",
        )
        from tf_marscf.training.dry_run import report_dry_run

        train_dir = None if values.train_dir is None else train_dir
        report_dry_run(train_dir, data, model_options, training, **options)
        return
    command_line.start_tensorflow(
        f"Trains on {data.name} (num_epochs={training.num_epochs}), or goes on with the run in "
        f"{train_dir}, and scores the test images",
        command_line.time_depends_on("the number of images and the model"),
    )
    import tensorflow as tf

    from tf_marscf.training.training_run import TrainingRun

    if values.deterministic:
        tf.config.experimental.enable_op_determinism()
    run = TrainingRun(
        train_dir,
        data,
        model_options,
        training,
        progress=values.progress,
        note=recipe,
        **options,
    )
    run.run(signals)


run = functools.partial(
    command_line.run,
    main,
    define_flags,
    read_arguments=lambda arguments: recipes.with_recipe(arguments)[0],
)

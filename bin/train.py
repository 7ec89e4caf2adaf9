#!/usr/bin/env python
"""Trains a mAR-SCF model: `python bin/train.py --flagfile=digits.flags`."""

from absl import flags

from tf_marscf.commands import command_line
from tf_marscf.config import MarScfConfig
from tf_marscf.data import check_configured_dataset
from tf_marscf.errors import InputError
from tf_marscf.runs.run_config import DataConfig, RunConfig
from tf_marscf.training.stop_signals import StopSignals
from tf_marscf.training.tiny import tiny_data, tiny_model_options, tiny_train_dir, tiny_training
from tf_marscf.training.training_config import TrainingConfig, check_model_options

_STRING, _INTEGER = flags.DEFINE_string, flags.DEFINE_integer
_FLOAT, _BOOLEAN = flags.DEFINE_float, flags.DEFINE_boolean

_MODEL_FLAGS = {
    "num_levels": (_INTEGER, "L, levels of the flow."),
    "num_steps": (_INTEGER, "K, steps of flow a level."),
    "hidden_channels": (_INTEGER, "Channels of the couplings' networks."),
    "coupling": (_STRING, "affine or mixlogcdf."),
    "prior": (_STRING, "mar, or gaussian for the prior of Glow."),
    "prior_hidden_channels": (_INTEGER, "Channels of the prior's ConvLSTM."),
    "prior_num_layers": (_INTEGER, "Layers of the prior's ConvLSTM."),
    "num_blocks": (_INTEGER, "Blocks of a MixLogCDF coupling's network."),
    "num_components": (_INTEGER, "Components of a MixLogCDF coupling's mixtures."),
    "num_heads": (_INTEGER, "Attention heads of a MixLogCDF coupling's network."),
    "dropout_rate": (_FLOAT, "Dropout of a MixLogCDF coupling's network."),
}
_TRAINING_FLAGS = {
    "batch_size": (_INTEGER, "Images a step."),
    "num_epochs": (_INTEGER, "Passes over the training images."),
    "evaluate_every": (_INTEGER, "Steps between evaluations; 0 for one after each pass."),
    "learning_rate": (_FLOAT, "Learning rate of Adamax, after the warm-up."),
    "warm_up_images": (_INTEGER, "Images over which the learning rate grows."),
    "decay": (_STRING, "none, or cosine: the learning rate ends at zero."),
    "clip_norm": (_FLOAT, "Greatest norm of the gradient of bits/dim."),
    "augmentation": (_STRING, "none, horizontal_flip or cifar."),
    "num_accumulated_parts": (_INTEGER, "Parts in which a batch is worked off, to save memory."),
    "average_decay": (_FLOAT, "Decay of the moving average of the weights; 0 for none."),
    "early_stopping_epochs": (_INTEGER, "Epochs without improvement before the end; 0 for never."),
    "evaluation_batch_size": (_INTEGER, "Images a step of an evaluation; default: batch_size."),
    "num_sample_images": (_INTEGER, "Samples in a picture."),
    "sample_every": (_INTEGER, "Epochs between pictures of samples; 0 for one at the end only."),
    "checkpoint_every": (_INTEGER, "Steps between checkpoints: at most so many are ever lost."),
    "log_every": (_INTEGER, "Steps between entries of the TensorBoard log."),
    "network_dtype": (_STRING, "float32, or bfloat16 inside the networks."),
    "recompute_prior": (_BOOLEAN, "Gradients run the ConvLSTM again, keeping nothing."),
    "recompute_couplings": (_BOOLEAN, "Gradients run each block of MixLogCDF couplings again."),
    "jit_compile": (_BOOLEAN, "Compile steps with XLA; for GPUs."),
    "strategy": (_STRING, "auto, one, mirrored (all GPUs) or multi_worker (TF_CONFIG)."),
    "seed": (_INTEGER, "Seed of weights, data order, augmentation, noise and dropout."),
}

command_line.define_flags(MarScfConfig, _MODEL_FLAGS)
command_line.define_flags(TrainingConfig, _TRAINING_FLAGS)
command_line.define_path(
    "train_dir", None, "Directory for everything that the run writes.", required=True
)
_STRING(
    "dataset", None, "digits, cifar10, mnist, fashion_mnist, npz, idx, folder, ...", required=True
)
command_line.define_path("data_dir", None, "Where the images are: a directory or, for npz, a file.")
_INTEGER("num_channels", None, "3 copies a grey image three times; default: as in the data set.")
_INTEGER("num_validation_images", None, "Training images held out to choose the best epoch.")
_BOOLEAN("deterministic", True, "Use operations that repeat to the last bit; slower on some GPUs.")
_INTEGER("max_images", None, "Only so many images of each split; default: all.")
_BOOLEAN("tiny", False, "A tiny model on 64 images in TRAIN_DIR_tiny: does all of it run?")
command_line.define_path(
    "initial_weights", None, "Directory, such as an import, whose weights and model to train."
)
_BOOLEAN("published_scaling", False, "Scale pixels as the published code does.")
flags.DEFINE_enum("progress", "auto", ["auto", "bar", "line", "none"], "What each epoch prints.")


def initial_model_options(directory):
    """The model of `--initial_weights`; flags may repeat it, and not contradict it."""
    model = RunConfig.load(directory, "initial_weights").model
    for name in _MODEL_FLAGS:
        flag = flags.FLAGS[name]
        if flag.present and flag.value != getattr(model, name):
            raise InputError(
                f"`{name}` must be that of `initial_weights`, {getattr(model, name)!r}; "
                f"got {flag.value!r}."
            )
    return {name: getattr(model, name) for name in _MODEL_FLAGS}


def main():
    """Trains, and prints one line with the result at the end."""
    with StopSignals() as signals:
        train(signals)


def train(signals):
    """Checks the flags, trains, evaluates and draws samples."""
    model_options = command_line.flag_values(_MODEL_FLAGS)
    check_model_options(model_options)
    training = TrainingConfig(**command_line.flag_values(_TRAINING_FLAGS))
    values = flags.FLAGS
    data = DataConfig(
        name=values.dataset,
        data_dir=values.data_dir,
        num_channels=values.num_channels,
        num_validation_images=values.num_validation_images,
        max_images=values.max_images,
    )
    if values.initial_weights is not None:
        model_options = initial_model_options(values.initial_weights)
    train_dir = values.train_dir
    if values.tiny:
        model_options, training = tiny_model_options(model_options), tiny_training(training)
        data, train_dir = tiny_data(data), tiny_train_dir(train_dir)

    check_configured_dataset(data)

    command_line.start_tensorflow()
    import tensorflow as tf

    from tf_marscf.training.training_run import TrainingRun

    if values.deterministic:
        tf.config.experimental.enable_op_determinism()
    run = TrainingRun(
        train_dir,
        data,
        model_options,
        training,
        published_scaling=values.published_scaling,
        initial_weights=values.initial_weights,
        progress=values.progress,
    )
    run.run(signals)


if __name__ == "__main__":
    command_line.run(main)

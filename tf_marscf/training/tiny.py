"""The tiny mode of a recipe: everything it does, in about a minute on a CPU."""

import dataclasses

_MODEL_LIMITS = {
    "num_steps": 1,
    "hidden_channels": 16,
    "prior_hidden_channels": 8,
    "prior_num_layers": 1,
    "num_blocks": 1,
    "num_components": 4,
}
_TRAINING_LIMITS = {
    "batch_size": 16,
    "evaluation_batch_size": 16,
    "num_epochs": 2,
    "evaluate_every": 4,
    "warm_up_images": 64,
    "num_accumulated_parts": 1,
    "num_sample_images": 9,
    "sample_every": 1,
    "log_every": 4,
    "checkpoint_every": 4,
}
_MAX_IMAGES = 64


def tiny_model_options(options):
    """Shrinks the arguments of a model: few steps, few channels; levels and couplings stay."""
    return options | {
        name: min(limit, options[name]) for name, limit in _MODEL_LIMITS.items() if name in options
    }


def tiny_training(training):
    """Shrinks a `TrainingConfig`: two short epochs."""
    limits = {name: min(limit, getattr(training, name)) for name, limit in _TRAINING_LIMITS.items()}
    return dataclasses.replace(training, **limits)


def tiny_data(data):
    """Shrinks a `DataConfig`: the first images of each split."""
    return dataclasses.replace(data, max_images=min(_MAX_IMAGES, data.max_images or _MAX_IMAGES))


def tiny_train_dir(train_dir):
    """A directory of its own: the real run would refuse to go on from a tiny one."""
    return f"{str(train_dir).rstrip('/')}_tiny"

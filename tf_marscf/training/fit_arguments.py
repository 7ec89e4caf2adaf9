"""What `DensityTrainer` is compiled and fitted with, checked and brought into one form."""

import keras
import numpy as np
import tensorflow as tf

from tf_marscf.data import WeightedImages
from tf_marscf.errors import InputError


def check_no_losses(**arguments):
    """Raises `InputError` unless losses and metrics are None: the trainer would not use them."""
    for name, value in arguments.items():
        if value is not None:
            raise InputError(
                f"`{name}` must be None: a DensityTrainer minimizes bits/dim; got {value!r}. For "
                "other losses put a DensityLayer into a model."
            )


def check_optimizer(optimizer, num_replicas):
    """Raises `InputError` if an optimizer changes gradients in a way that the step undoes."""
    if optimizer.loss_scale_factor is not None or isinstance(
        optimizer, keras.optimizers.LossScaleOptimizer
    ):
        raise InputError(
            "`optimizer` must be without loss scaling, since the loss is not scaled; got "
            f"{type(optimizer).__name__}."
        )
    if optimizer.gradient_accumulation_steps:
        raise InputError(
            "`gradient_accumulation_steps` of the optimizer must be None; got "
            f"{optimizer.gradient_accumulation_steps!r}. Use a larger batch, and "
            "`num_accumulated_parts` of the DensityTrainer."
        )
    for name in ("clipnorm", "clipvalue", "global_clipnorm"):
        if num_replicas > 1 and getattr(optimizer, name) is not None:
            raise InputError(
                f"`{name}` of the optimizer must be None on several devices; got "
                f"{getattr(optimizer, name)!r}. Use `clip_norm` of the DensityTrainer."
            )


def check_trained_weights(optimizer, weights):
    """Raises `InputError` if an optimizer that averages weights was built for others.

    It would give the `keras.Variable`s that are trained the averages of others.
    """
    built_for = optimizer._trainable_variables
    if optimizer.use_ema and _identities(built_for) != _identities(weights):
        raise InputError(
            "`optimizer` with use_ema must be built for the weights that are trained, "
            f"{len(weights)}; got one of {len(built_for)}. After a change of `trainable`, call "
            "`compile` with a new optimizer."
        )


def _identities(weights):
    """Those of the `tf.Variable`s in a list of weights."""
    return [id(part.value if isinstance(part, keras.Variable) else part) for part in weights]


def check_callbacks(callbacks):
    """Raises `InputError` if a Keras callback waits for a loss, and so would do nothing.

    `TerminateOnNaN`, which does, may be there: a step whose loss is not finite raises by itself.
    """
    for callback in tf.nest.flatten(getattr(callbacks, "callbacks", callbacks or ())):
        name = type(callback).__name__
        unused = isinstance(callback, keras.callbacks.ModelCheckpoint) and (
            not callback.save_best_only
        )
        monitor = getattr(callback, "monitor", None)
        if monitor in ("loss", "val_loss") and not unused:
            raise InputError(
                f"`monitor` of {name} must be a value that a DensityTrainer logs; got "
                f"{monitor!r}. Use monitor='val_bits_per_dim' and mode='min', or 'bits_per_dim' "
                "without validation images."
            )


def check_no_image_weights(sample_weight=None, class_weight=None, **_):
    """Raises `InputError` if `fit` has weights of images."""
    if sample_weight is not None or class_weight is not None:
        raise InputError(
            "`sample_weight` and `class_weight` must be None in training, where all images count "
            "alike; got weights."
        )


def with_label_beside_weights(data, num_classes=None):
    """(images, None, weights) with labels: Keras drops weights without any; else `data` itself.

    An `InputError` if the model has classes: then there must be labels.
    """
    if not isinstance(data, tuple) or len(data) != 3 or data[1] is not None or data[2] is None:
        return data
    if num_classes is not None:
        raise _missing_label_error(num_classes, "None")
    images, _, weights = data
    return images, np.zeros(np.shape(weights)[:1], np.int32), weights


def training_examples(data, num_classes=None):
    """`(pixels, label)` of a training batch: the images, or (images, label), without weights.

    The label is None if the model has no classes. With classes it must be given.
    """
    pixels, label, weights = _unpacked(data)
    check_no_image_weights(weights)
    return pixels, _label_of_classes(label, num_classes)


def evaluation_examples(data, num_classes=None):
    """`(pixels, label, weights)` of a batch; the weights, one an image, may be None.

    The data are the images, (images, label), (images, label, weights) or a `WeightedImages`. The
    label is None if the model has no classes; one that may be meant as weights is refused then.
    """
    if isinstance(data, WeightedImages) and num_classes is None:
        pixels, weights = data
        return pixels, None, weights
    pixels, label, weights = _unpacked(data)
    if weights is None and num_classes is None:
        _check_label(label)
    elif weights is not None and tf.TensorShape(weights.shape).rank != 1:
        raise InputError(
            f"`sample_weight` must have shape [N], one weight an image; got {weights.shape}."
        )
    return pixels, _label_of_classes(label, num_classes), weights


def _unpacked(data):
    if isinstance(data, WeightedImages):
        return data.pixels, None, data.weights
    return keras.utils.unpack_x_y_sample_weight(data)


def _label_of_classes(label, num_classes):
    """The label for a model with classes, which checks its values, and None for others."""
    if num_classes is None:
        return None
    shape = getattr(label, "shape", None)
    if shape is None or tf.TensorShape(shape).rank not in (1, None):
        raise _missing_label_error(num_classes, "None" if label is None else f"shape {shape}")
    return label


def _missing_label_error(num_classes, seen):
    return InputError(
        "`y`, the second of (images, label), must be the images' classes, int32 or int64 [N], "
        f"since the model has classes (num_classes={num_classes}); got {seen}."
    )


def _check_label(label):
    """Pairs (images, weights) would be taken for (images, label), and their weights ignored."""
    dtype = getattr(label, "dtype", None)
    if dtype is None or not tf.as_dtype(dtype).is_floating:
        return
    if tf.TensorShape(label.shape).rank == 1:
        raise InputError(
            "`y`, the second of (images, label), is a label and is ignored: it must be no vector "
            f"of floats, which may be meant as weights; got {tf.as_dtype(dtype).name} of shape "
            f"{label.shape}. Give weights as `sample_weight`, the third, and labels as integers."
        )

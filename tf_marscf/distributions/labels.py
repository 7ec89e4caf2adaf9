"""Classes of images, as numbers."""

import tensorflow as tf

from tf_marscf.errors import InputError, InputTypeError

_DTYPES = (tf.int32, tf.int64)


def checked_label(label, num_classes, owner, leading_shape=None):
    """Checks the classes of images, or that there are none.

    What is known is checked at once. The numbers of a tensor that a `tf.function` works out are
    checked at run time (`InvalidArgumentError`), but where XLA compiles: see `rows_of_class`.

    Args:
        label: integers from 0 to `num_classes` - 1, int32 or int64, one an image or one for all.
        num_classes: of the model, or None for a model without classes.
        owner: what errors call the model.
        leading_shape: the images' static leading `tf.TensorShape`, or None if it is not known yet.

    Returns:
        The label as a tensor; None for a model without classes.

    Raises:
        InputError: if the label is missing, out of range or of another shape, or is given and the
            model has no classes.
        InputTypeError: if it is of another dtype.
    """
    if num_classes is None:
        if label is not None:
            raise InputError(
                f"`label` of {owner} must be None, since it has no classes (num_classes=None); got "
                f"{_text(label)}."
            )
        return None
    what = f"integers from 0 to {num_classes - 1} (num_classes={num_classes})"
    rule = f"`label` of {owner} must be {what}"
    if label is None:
        raise InputError(f"{rule}, one an image or one for all; got None.")
    given = label
    try:
        label = tf.convert_to_tensor(given, name="label")
    except (OverflowError, TypeError, ValueError) as error:
        raise InputTypeError(f"{rule}, int32 or int64; got {_text(given)}.") from error
    if label.dtype not in _DTYPES:
        raise InputTypeError(f"{rule}, int32 or int64; got {label.dtype.name}: {_text(given)}.")
    is_of_all = label.shape.rank == 0
    if not is_of_all and leading_shape is not None:
        if not label.shape.is_compatible_with(leading_shape):
            raise InputError(
                f"{rule}, one for all or of the images' leading shape {leading_shape}; got shape "
                f"{label.shape}."
            )
    known = tf.get_static_value(label)
    if known is None:
        seen = ["; got from", tf.reduce_min(label), "to", tf.reduce_max(label)]
        check = tf.debugging.Assert(tf.reduce_all(_is_class(label, num_classes)), [rule, *seen])
        with tf.control_dependencies([check]):
            return tf.identity(label)
    wrong = known[(known < 0) | (known >= num_classes)]
    if wrong.size:
        raise InputError(f"{rule}; got {wrong[0]}.")
    return label


def rows_of_class(table, label):
    """`table[label]`, [num_classes, H, W, C] -> [*label.shape, H, W, C]; NaN for no class.

    Checks at run time are lost where XLA compiles: NaN is what no density hides there.
    """
    # Of a reshaped table, and not of the table, the gradient is a dense tensor.
    rows = tf.gather(tf.reshape(table, table.shape), label)
    is_class = tf.cast(_is_class(label, table.shape[0]), table.dtype)
    # A root of 0 or -1, and no constant NaN, which would worry `enable_check_numerics`.
    zero_or_nan = tf.sqrt(is_class - 1.0)
    return rows + zero_or_nan[..., tf.newaxis, tf.newaxis, tf.newaxis]


def _is_class(label, num_classes):
    return (label >= 0) & (label < num_classes)


def _text(value):
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:60]}..."

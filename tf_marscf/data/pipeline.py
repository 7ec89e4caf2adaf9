"""Input pipelines: from single images to batches for training and for evaluation."""

from collections import namedtuple

import tensorflow as tf

from tf_marscf import rules
from tf_marscf.data.augmentation import augment_image, check_augmentation
from tf_marscf.data.image_dataset import check_images, without_labels

MAX_CACHE_BYTES = 2 * 1024**3
MAX_SHUFFLE_BYTES = 512 * 1024**2
_GRAPH_SEED = 1  # Any number but 0, which TensorFlow would compare with a tensor.


class WeightedImages(namedtuple("WeightedImages", ["pixels", "weights"])):
    """A batch of images with weights, which Keras's pairs (images, label) are not.

    Attributes:
        pixels: uint8 `[batch_size, height, width, channels]`.
        weights: float32 `[batch_size]`.
    """


def training_pipeline(
    images,
    batch_size,
    seed,
    augmentation="none",
    *,
    first_image=0,
    max_cache_bytes=MAX_CACHE_BYTES,
    max_shuffle_bytes=MAX_SHUFFLE_BYTES,
):
    """Endless full batches of training images, in a new order each epoch.

    Epochs follow each other without a gap: a batch may hold the end of one and the start of the
    next, so every image is seen once an epoch and no batch is short. The order of epoch e and
    the augmentation of the n-th image depend on nothing but `seed`, e and n. So a run resumed
    with `first_image` gets the very batches that an unbroken run would have had.

    Args:
        images: single uint8 images `[height, width, channels]`, or pairs (image, label), in a fixed
            order.
        batch_size: images a batch, over all devices.
        seed: decides the order and the augmentation.
        augmentation: a key of `tf_marscf.data.AUGMENTATIONS`.
        first_image: number of images to leave out at the start, those seen already. Whole epochs
            cost nothing; the rest of one is read and dropped.
        max_cache_bytes: images that take no more than this are kept in memory after the first
            epoch; more are read again each epoch.
        max_shuffle_bytes: memory of the shuffle buffer. Images that take no more are shuffled
            evenly; of more, the buffer holds a window.

    Returns:
        A data set of unknown end with elements uint8 `[batch_size, height, width, channels]`, or
        pairs of these and int64 `[batch_size]`.

    Raises:
        InputTypeError, InputError: if `images` is no data set as `check_images` wants it, or
            another argument no integer or out of range.
    """
    check_images(without_labels(images), "images")
    rules.integer(1)(batch_size, "`batch_size`")
    rules.integer(-(2**63), num_bits=63)(seed, "`seed`")
    rules.integer(0, num_bits=63)(first_image, "`first_image`")
    check_augmentation(augmentation)
    num_images = int(images.cardinality())
    bytes_per_image = without_labels(images).element_spec.shape.num_elements()
    rules.integer(bytes_per_image, num_bits=63)(max_shuffle_bytes, "`max_shuffle_bytes`")
    if num_images * bytes_per_image <= max_cache_bytes:
        images = images.cache()
    shuffle_buffer_size = min(num_images, max_shuffle_bytes // bytes_per_image)
    first_epoch, num_skipped = divmod(first_image, num_images)
    order_seed, augmentation_seed = tf.unstack(tf.random.split(tf.constant([seed, 0], tf.int64), 2))

    def images_of_epoch(epoch):
        # `shuffle` mixes the program's global seed into its own; here that of this function's graph
        # alone is set, so that the order depends on `seed` and nothing else.
        tf.random.set_seed(_GRAPH_SEED)
        # One shuffle an epoch instead of `reshuffle_each_iteration`, whose order depends on how
        # often the data set was iterated before and so cannot be resumed.
        shuffled = images.shuffle(
            shuffle_buffer_size,
            seed=tf.random.stateless_uniform(
                [], tf.random.fold_in(order_seed, epoch), minval=None, maxval=None, dtype=tf.int64
            ),
            reshuffle_each_iteration=False,
        )
        is_first = tf.equal(epoch, first_epoch)
        return shuffled.skip(tf.where(is_first, tf.constant(num_skipped, tf.int64), 0))

    endless = tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(images_of_epoch)

    def augment(index, example):
        image, *label = example if isinstance(example, tuple) else (example,)
        seed = tf.random.fold_in(augmentation_seed, index)
        image = augment_image(image, seed, augmentation)
        return (image, *label) if label else image

    if augmentation != "none":
        endless = endless.enumerate(start=first_image).map(
            augment,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
    return endless.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def evaluation_pipeline(images, batch_size):
    """All images once, in order, in batches; the last one is as short as it must be.

    Raises:
        InputTypeError, InputError: as `training_pipeline`.
    """
    check_images(without_labels(images), "images")
    rules.integer(1)(batch_size, "`batch_size`")
    return images.batch(batch_size, drop_remainder=False).prefetch(tf.data.AUTOTUNE)


def padded_evaluation_pipeline(images, batch_size):
    """All images once, in order, in batches of one size: what several devices can share.

    The elements are `WeightedImages`, with weight 1 for an image and 0 for the black ones that
    fill the last batch; of pairs (image, label) they are Keras's triples (images, label, weights).
    It raises what `evaluation_pipeline` does.
    """

    def pad(pixels, label=None):
        num_images = tf.shape(pixels)[0]
        missing = batch_size - num_images
        weights = tf.concat([tf.ones([num_images]), tf.zeros([missing])], axis=0)
        pixels = tf.pad(pixels, [[0, missing], [0, 0], [0, 0], [0, 0]])
        pixels = tf.ensure_shape(pixels, [batch_size, *pixels.shape[1:]])
        weights = tf.ensure_shape(weights, [batch_size])
        if label is None:
            return WeightedImages(pixels, weights)
        label = tf.ensure_shape(tf.pad(label, [[0, missing]]), [batch_size])
        return pixels, label, weights

    return evaluation_pipeline(images, batch_size).map(pad)

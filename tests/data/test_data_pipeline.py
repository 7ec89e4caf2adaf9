"""Tests of the training and evaluation pipelines."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tf_marscf.data import evaluation_pipeline, training_pipeline

NUM_IMAGES = 10


@pytest.fixture(name="images")
def fixture_images():
    """Images 4 x 4 x 1 of random pixels, but for the corner, which tells the number."""
    pixels = np.random.RandomState(0).randint(0, 256, (NUM_IMAGES, 4, 4, 1)).astype(np.uint8)
    pixels[:, 0, 0, 0] = np.arange(NUM_IMAGES)
    return tf.data.Dataset.from_tensor_slices(pixels)


def take(pipeline, count):
    return list(itertools.islice(pipeline.as_numpy_iterator(), count))


def numbers(batches):
    return np.concatenate([batch[:, 0, 0, 0] for batch in batches])


def test_each_epoch_shows_every_image_once_in_a_new_order(images):
    order = numbers(take(training_pipeline(images, 4, seed=1), 5 * 5)).reshape(-1, NUM_IMAGES)
    for epoch in order:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(NUM_IMAGES))
    assert len({epoch.tobytes() for epoch in order}) == len(order)


def test_batches_are_full_and_of_static_shape(images):
    pipeline = training_pipeline(images, 4, seed=1)
    assert pipeline.element_spec == tf.TensorSpec((4, 4, 4, 1), tf.uint8)
    assert take(training_pipeline(images, 3 * NUM_IMAGES, seed=1), 1)[0].shape[0] == 30


@pytest.mark.parametrize("augmentation", ["none", "cifar"])
def test_seed_decides_everything(images, augmentation):
    first = take(training_pipeline(images, 4, 1, augmentation), 8)
    again = take(training_pipeline(images, 4, 1, augmentation), 8)
    other = take(training_pipeline(images, 4, 2, augmentation), 8)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("seed", [-1, 0, 2**31, 2**63 - 1])
def test_any_64_bit_seed_will_do(images, seed):
    order = numbers(take(training_pipeline(images, 5, seed), 2))
    np.testing.assert_array_equal(np.sort(order), np.arange(NUM_IMAGES))
    assert take(training_pipeline(images, 4, seed, "cifar"), 1)[0].shape == (4, 4, 4, 1)


def test_global_seed_has_no_say(images):
    batches = take(training_pipeline(images, 4, 1, "cifar"), 8)
    tf.random.set_seed(7)
    np.testing.assert_array_equal(take(training_pipeline(images, 4, 1, "cifar"), 8), batches)


def test_second_iteration_repeats_the_first(images):
    pipeline = training_pipeline(images, 4, 1, "cifar")
    np.testing.assert_array_equal(take(pipeline, 8), take(pipeline, 8))


@pytest.mark.parametrize("first_step", [1, 5, 13])
@pytest.mark.parametrize("max_cache_bytes", [0, 2**20])
def test_resumed_pipeline_goes_on_where_it_stopped(images, first_step, max_cache_bytes):
    whole = take(training_pipeline(images, 4, 1, "cifar"), 20)
    resumed = training_pipeline(
        images, 4, 1, "cifar", first_image=4 * first_step, max_cache_bytes=max_cache_bytes
    )
    np.testing.assert_array_equal(take(resumed, 20 - first_step), whole[first_step:])


def test_augmentation_of_an_image_differs_between_epochs(images):
    epochs = take(training_pipeline(images, NUM_IMAGES, 1, "cifar"), 6)
    plain = take(training_pipeline(images, NUM_IMAGES, 1), 6)
    assert sum(not np.array_equal(*pair) for pair in zip(epochs, plain, strict=True)) == 6
    # The versions of the first image, which the pipeline without augmentation tells where it is.
    versions = {
        epoch[np.flatnonzero(order[:, 0, 0, 0] == 0)[0]].tobytes()
        for epoch, order in zip(epochs, plain, strict=True)
    }
    assert len(versions) > 1


def test_images_are_read_once_when_they_fit_in_the_cache(images):
    num_reads = tf.Variable(0)

    def count(image):
        num_reads.assign_add(1)
        return image

    counted = images.map(count)
    take(training_pipeline(counted, NUM_IMAGES, 1), 4)
    assert num_reads.numpy() == NUM_IMAGES


def test_evaluation_shows_all_images_in_order_with_a_short_last_batch(images):
    batches = list(evaluation_pipeline(images, 4).as_numpy_iterator())
    assert [len(batch) for batch in batches] == [4, 4, 2]
    np.testing.assert_array_equal(numbers(batches), np.arange(NUM_IMAGES))
    assert int(evaluation_pipeline(images, 4).cardinality()) == 3


def test_batches_are_shared_out_over_replicas(images):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    distributed = strategy.experimental_distribute_dataset(training_pipeline(images, 4, 1))
    np.testing.assert_array_equal(
        next(iter(distributed)).numpy(), take(training_pipeline(images, 4, 1), 1)[0]
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"batch_size": 0}, "`batch_size` must be an integer >= 1; got 0"),
        ({"batch_size": 2.0}, "`batch_size` must be an integer >= 1; got 2.0"),
        ({"seed": None}, "`seed` must be an integer .*; got None"),
        ({"first_image": -1}, "`first_image` must be an integer >= 0; got -1"),
        ({"augmentation": "mirror"}, "`augmentation` must be one of"),
        ({"max_shuffle_bytes": 3}, "`max_shuffle_bytes` must be an integer >= 16; got 3"),
    ],
)
def test_unsuitable_arguments_are_refused(images, arguments, message):
    with pytest.raises(ValueError, match=message):
        training_pipeline(images, **{"batch_size": 4, "seed": 1, **arguments})


def test_unsuitable_images_are_refused(images):
    with pytest.raises(TypeError, match="single uint8 tensors"):
        evaluation_pipeline(images.map(lambda image: tf.cast(image, tf.float32)), 4)
    with pytest.raises(ValueError, match="got an infinite number"):
        training_pipeline(images.repeat(), 4, 1)
    with pytest.raises(TypeError, match="tf.data.Dataset of single images; got ndarray"):
        evaluation_pipeline(np.zeros((2, 4, 4, 1), np.uint8), 4)

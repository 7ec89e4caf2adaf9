"""Parts of a batch that are computed side by side."""

import pytest
import tensorflow as tf

from tests.small_models import greatest_difference, random_images, randomize, small_model
from tf_marscf.kernels.batch_parts import (
    batch_size,
    for_each_part,
    joined,
    num_batch_parts,
    split_batch,
    split_like,
)
from tf_marscf.networks.mix_log_cdf_network import MixLogCdfNetwork

COUPLINGS = ["affine", "mixlogcdf"]


def use_threads(monkeypatch, intra_op, inter_op):
    """What TensorFlow is asked for; its threads themselves are those that it began with."""
    threading = tf.config.threading
    monkeypatch.setattr(threading, "get_intra_op_parallelism_threads", lambda: intra_op)
    monkeypatch.setattr(threading, "get_inter_op_parallelism_threads", lambda: inter_op)


def in_graph(function, *args):
    return tf.function(function, autograph=False)(*args)


@pytest.mark.parametrize("num_images, expected", [(None, 1), (0, 1), (1, 1), (2, 2), (9, 3)])
def test_as_many_parts_as_operations_at_once(monkeypatch, num_images, expected):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    counts = []

    def count():
        counts.append(num_batch_parts(num_images))

    for intra_op in (1, 2):
        use_threads(monkeypatch, intra_op, 3)
        tf.function(count).get_concrete_function()
    assert counts == [expected, 1]


def test_one_part_in_eager_mode_and_on_gpus(monkeypatch):
    use_threads(monkeypatch, 1, 3)
    assert num_batch_parts(9) == 1
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    with tf.Graph().as_default():
        assert num_batch_parts(9) == 1


@pytest.mark.parametrize("num_images", [1, 2, 3, 7, 9])
def test_parts_are_nearly_equal_and_in_order(monkeypatch, num_images):
    use_threads(monkeypatch, 1, 3)
    values = tf.range(num_images * 2)
    with tf.Graph().as_default():
        parts = split_batch(tf.reshape(tf.range(num_images * 2), [num_images, 2]))
        sizes = [part.shape[0] for part in parts]
        again, whole = joined(parts), batch_size(parts)
        with tf.compat.v1.Session() as session:
            again, whole = session.run([again, whole])
    assert len(sizes) == min(num_images, 3)
    assert max(sizes) - min(sizes) <= 1
    assert whole == num_images
    assert again.ravel().tolist() == values.numpy().tolist()


def test_tensors_and_lists():
    whole, parts = tf.range(5), [tf.range(2), tf.range(2, 5)]
    assert batch_size(whole) == batch_size(parts) == 5
    assert split_like(whole, whole) is whole
    assert split_like(whole, [whole]) == [whole]
    assert split_like(None, whole) is None
    assert split_like(None, parts) == [None, None]
    assert [part.numpy().tolist() for part in split_like(whole, parts)] == [[0, 1], [2, 3, 4]]
    assert for_each_part(tf.add, whole, whole).shape == [5]
    sums = for_each_part(tf.add, parts, parts)
    assert [part.numpy().tolist() for part in sums] == [[0, 2], [4, 6, 8]]
    assert joined([(whole, {"a": whole})])[1]["a"] is whole
    with pytest.raises(ValueError, match="zip"):
        for_each_part(tf.add, parts, parts[:1])


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("num_blocks", [1, 3])
@pytest.mark.parametrize("dropout_seed", [None, (3, 4)])
def test_a_network_of_parts_is_that_of_the_batch(num_blocks, recompute, dropout_seed):
    """Values and gradients; one dropout mask for all parts."""
    layer = MixLogCdfNetwork(
        4, 2, num_blocks=num_blocks, num_components=3, recompute=recompute, dtype="float64"
    )
    layer.build((None, 4, 4, 3))
    randomize(layer)
    maps = random_images(5, 4, 4, 3, dtype="float64")

    def outputs_and_gradients(sizes):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            parts = maps if sizes is None else tf.split(maps, sizes)
            outputs = layer(parts, dropout_seed=dropout_seed)
            outputs = outputs if sizes is None else joined(outputs)
            loss = tf.add_n([tf.reduce_sum(tf.sin(part)) for part in outputs])
        variables = [variable.value for variable in layer.trainable_variables]
        return [*outputs, *tape.gradient(loss, [maps, *variables])]

    expected = in_graph(outputs_and_gradients, None)
    for actual, value in zip(in_graph(outputs_and_gradients, [2, 3]), expected, strict=True):
        assert greatest_difference(actual, value) < 1e-11


def density_sample_and_gradients(model, images):
    """Of one model, in a graph of its own."""

    def run():
        with tf.GradientTape() as tape:
            densities = model.log_prob(images, dropout_seed=[5, 6])
        gradients = tape.gradient(densities, model.trainable_variables)
        return [densities, model.sample(images.shape[0], seed=3), *gradients]

    return in_graph(run)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_a_model_of_parts_is_that_of_the_batch(monkeypatch, coupling):
    model = small_model(coupling=coupling, dtype="float64")
    images = random_images(5, 8, 8, 1, dtype="float64")
    use_threads(monkeypatch, 2, 2)
    expected = density_sample_and_gradients(model, images)
    use_threads(monkeypatch, 1, 3)
    for actual, value in zip(density_sample_and_gradients(model, images), expected, strict=True):
        assert greatest_difference(actual, value) < 1e-8


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_each_part_is_an_operation_of_its_own(monkeypatch, coupling):
    """And what follows from weights alone is there once."""
    model = small_model(coupling=coupling)

    def count(images, kinds):
        function = tf.function(model.log_prob, autograph=False)
        operations = function.get_concrete_function(images).graph.get_operations()
        return [sum(operation.type == kind for operation in operations) for kind in kinds]

    images = random_images(6, 8, 8, 1)
    # Networks' outputs, and the norms or the scales of their weights.
    kinds = {"affine": ["Relu", "Exp"], "mixlogcdf": ["Softmax", "Sqrt"]}[coupling]
    use_threads(monkeypatch, 2, 3)
    (outputs, scales), (unknown_outputs, _) = (
        count(images, kinds),
        count(tf.TensorSpec([None, 8, 8, 1]), kinds),
    )
    use_threads(monkeypatch, 1, 3)
    in_parts, scales_in_parts = count(images, kinds)
    assert in_parts == 3 * outputs - 2 * _outside_couplings(coupling, model)
    assert scales_in_parts == scales > 0
    assert count(tf.TensorSpec([None, 8, 8, 1]), kinds)[0] == unknown_outputs


def _outside_couplings(coupling, model):
    """ReLUs of the priors, whose batch is not split; they have one a conditional level."""
    return len(model.levels) - 1 if coupling == "affine" else 0


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_xla_compiles_parts(monkeypatch, coupling):
    model = small_model(coupling=coupling)
    images = random_images(4, 8, 8, 1)
    expected = tf.function(model.log_prob)(images)
    use_threads(monkeypatch, 1, 2)
    function = tf.function(lambda: model.log_prob(images), jit_compile=True)
    assert greatest_difference(function(), expected) < 1e-2


def test_a_sample_of_parts_in_two_sizes(monkeypatch):
    """XLA compiles the loop once a size; the code of each part is its own images'."""
    model = small_model(dtype="float64")
    use_threads(monkeypatch, 1, 2)
    in_parts = in_graph(lambda: model.sample(3, seed=4))
    use_threads(monkeypatch, 2, 2)
    assert greatest_difference(in_parts, in_graph(lambda: model.sample(3, seed=4))) < 1e-9

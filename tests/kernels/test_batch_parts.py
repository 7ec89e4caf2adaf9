"""Parts of a batch that are computed side by side."""

import numpy as np
import pytest
import tensorflow as tf

from tests.small_models import (
    BOTH_OF_ALL,
    greatest_difference,
    ids_of_options,
    random_images,
    randomize,
    small_model,
)
from tf_marscf.kernels.batch_parts import in_batch_parts, num_batch_parts
from tf_marscf.networks.mix_log_cdf_network import MixLogCdfNetwork
from tf_marscf.stateless_seed import seed_of_rows

every_part = pytest.mark.parametrize("options", BOTH_OF_ALL, ids=ids_of_options)


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
    values = tf.reshape(tf.range(num_images * 2), [num_images, 2])
    sizes = []

    def function(first, second, third):
        assert third is None
        sizes.append(first.shape[0])
        number_of_parts = tf.ones_like(first[:1])
        return {"values": first, "size": number_of_parts}, 2 * second

    (values_again, doubled) = in_graph(in_batch_parts_of(function), values, values)
    np.testing.assert_array_equal(values_again["values"], values)
    np.testing.assert_array_equal(doubled, 2 * values)
    assert len(values_again["size"]) == min(num_images, 3)
    # Traced once for each size.
    assert len(sizes) == len(set(sizes)) <= 2
    assert max(sizes) - min(sizes) <= 1


def in_batch_parts_of(function):
    return lambda *batches: in_batch_parts(function, *batches, None)


def network_in_parts(layer, maps, seed):
    def network(maps, rows):
        row_seed = None if seed is None else seed_of_rows(seed, rows[0])
        return layer(maps, dropout_seed=row_seed)

    return in_batch_parts(network, maps, tf.range(maps.shape[0]))


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("num_blocks", [1, 3])
@pytest.mark.parametrize("dropout_seed", [None, (3, 4)])
def test_a_network_of_parts_is_that_of_the_batch(monkeypatch, num_blocks, recompute, dropout_seed):
    """Values and gradients; one dropout mask for all parts."""
    layer = MixLogCdfNetwork(
        4, 2, num_blocks=num_blocks, num_components=3, recompute=recompute, dtype="float64"
    )
    layer.build((None, 4, 4, 3))
    randomize(layer)
    maps = random_images(5, 4, 4, 3, dtype="float64")

    def outputs_and_gradients(run):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            outputs = run(layer, maps, dropout_seed)
            loss = tf.add_n([tf.reduce_sum(tf.sin(part)) for part in outputs])
        variables = [variable.value for variable in layer.trainable_variables]
        return [*outputs, *tape.gradient(loss, [maps, *variables])]

    use_threads(monkeypatch, 1, 2)
    actual = in_graph(outputs_and_gradients, network_in_parts)
    expected = outputs_and_gradients(lambda layer, maps, seed: layer(maps, dropout_seed=seed))
    for one, other in zip(actual, expected, strict=True):
        assert greatest_difference(one, other) < 1e-11


def density_sample_and_gradients(model, images):
    with tf.GradientTape() as tape:
        densities = model.log_prob(images, dropout_seed=[5, 6])
    gradients = tape.gradient(densities, model.trainable_variables)
    return [densities, model.sample(images.shape[0], seed=3), *gradients]


@every_part
def test_a_model_of_parts_is_that_of_the_batch(monkeypatch, options):
    model = small_model(dtype="float64", **options)
    images = random_images(5, 8, 8, 1, dtype="float64")
    expected = density_sample_and_gradients(model, images)
    use_threads(monkeypatch, 1, 3)
    in_parts = in_graph(density_sample_and_gradients, model, images)
    for actual, value in zip(in_parts, expected, strict=True):
        assert greatest_difference(actual, value) < 1e-8


@every_part
def test_each_part_of_a_level_is_a_call_of_one_function(monkeypatch, options):
    """The calls do not depend on each other: TensorFlow runs them at the same time."""
    model = small_model(**options)

    def called_functions(images):
        function = tf.function(model.log_prob, autograph=False)
        operations = function.get_concrete_function(images).graph.get_operations()
        calls = [one for one in operations if one.type.endswith("PartitionedCall")]
        for call in calls:
            assert not any(tensor.op in calls for tensor in call.inputs)
            assert not any(control in calls for control in call.control_inputs)
        return [call.get_attr("f").name for call in calls]

    images = random_images(6, 8, 8, 1)
    use_threads(monkeypatch, 2, 3)
    assert called_functions(images) == []
    use_threads(monkeypatch, 1, 3)
    in_parts = called_functions(images)
    assert len(in_parts) == 3 * len(model.levels)
    assert len(set(in_parts)) == len(model.levels)
    assert called_functions(tf.TensorSpec([None, 8, 8, 1])) == []


@every_part
def test_xla_compiles_parts(monkeypatch, options):
    model = small_model(num_levels=1, **options)
    images = random_images(4, 8, 8, 1)
    expected = model.log_prob(images)
    use_threads(monkeypatch, 1, 2)
    function = tf.function(lambda: model.log_prob(images), autograph=False, jit_compile=True)
    assert greatest_difference(function(), expected) < 1e-2


def test_a_sample_of_parts_in_two_sizes(monkeypatch):
    """XLA compiles the loop once a size; the code of each part is its own images'."""
    model = small_model(dtype="float64")
    use_threads(monkeypatch, 1, 2)
    in_parts = in_graph(lambda: model.sample(3, seed=4))
    assert greatest_difference(in_parts, model.sample(3, seed=4)) < 1e-9

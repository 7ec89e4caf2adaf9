"""Noise as a function of seeds."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tf_marscf import MarScf
from tf_marscf.errors import InputError
from tf_marscf.stateless_seed import (
    batch_mask,
    batch_uniform,
    seed_of_rows,
    split_seed,
    stateless_normal,
    stateless_seed,
    stateless_uniform,
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("draw", [stateless_uniform, stateless_normal])
def test_noise_is_the_same_with_xla(draw, dtype):
    """The seed is an argument: of a constant one TensorFlow would draw without XLA."""

    def noise(seed):
        return draw([3, 5, 7], seed, dtype)

    for seed in ([1, 2], [3, 4]):
        seed = tf.constant(seed)
        compiled = tf.function(noise, jit_compile=True)(seed)
        np.testing.assert_allclose(compiled, noise(seed), atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_noise_has_its_distribution(dtype):
    uniform = stateless_uniform([20_000], 1, dtype).numpy()
    assert uniform.dtype == dtype
    assert 0.0 <= uniform.min() < uniform.max() < 1.0
    assert scipy.stats.kstest(uniform, "uniform").pvalue > 0.01
    normal = stateless_normal([20_000], 1, dtype).numpy()
    assert scipy.stats.kstest(normal, "norm").pvalue > 0.01


def test_equal_seeds_give_equal_noise_and_others_other():
    first = stateless_uniform([4], 5, tf.float32)
    np.testing.assert_array_equal(first, stateless_uniform([4], tf.constant(5), tf.float32))
    assert np.all(first != stateless_uniform([4], 6, tf.float32))
    assert np.all(stateless_uniform([4], None, tf.float32) != first)


@pytest.mark.parametrize("seed", [0, 7, -3, -(2**31), 2**31 - 1, 2**32 + 5, -(2**40)])
def test_integers_are_the_same_seed_in_python_numpy_and_tensors(seed):
    expected = stateless_seed(seed)
    dtype = tf.int32 if -(2**31) <= seed < 2**31 else tf.int64
    np.testing.assert_array_equal(stateless_seed(tf.constant(seed, dtype)), expected)
    np.testing.assert_array_equal(stateless_seed(np.int64(seed)), expected)


def test_a_seed_stream_gives_one_seed_after_another():
    stream, twin = tfp.util.SeedStream(5, "salt"), tfp.util.SeedStream(5, "salt")
    for _ in range(2):
        np.testing.assert_array_equal(stateless_seed(stream), stateless_seed(twin()))


def test_parts_of_a_seed_differ_and_none_stays_none():
    parts = split_seed(3, 4)
    assert len({tuple(part.numpy()) for part in parts}) == 4
    assert split_seed(None, 2) == [None, None]


def test_large_python_integers_are_seeds_of_their_own():
    assert np.any(stateless_seed(2**40 + 1) != stateless_seed(1))
    assert tuple(stateless_seed(7).numpy()) == (0, 7)


@pytest.mark.parametrize(
    "seed",
    [
        tf.constant([1, 2, 3]),
        tf.constant(1.0),
        1.0,
        1.5,
        np.float32(2.0),
        float("nan"),
        1j,
        True,
        np.True_,
        tf.constant(False),
        "1",
        b"1",
        {},
        [],
        [1],
        [[1, 2]],
        [1, 2**40],
        [1.0, 2.0],
        tf.constant([1, 2**40]),
        tf.constant([-(2**31) - 1, 0], tf.int64),
        np.array([1, 2], np.float64),
        lambda: 1.5,
    ],
)
def test_other_seeds_are_refused(seed):
    with pytest.raises(InputError, match="`seed` must be None, an integer"):
        stateless_seed(seed)


@pytest.mark.parametrize("seed", [-(2**63), 2**63 - 1, -1, 0])
def test_the_ends_of_the_range_are_seeds_of_their_own(seed):
    words = tuple(stateless_seed(seed).numpy())
    assert words == (seed >> 32, (seed & 0xFFFFFFFF) - (2**32 if seed & 0x80000000 else 0))
    np.testing.assert_array_equal(stateless_seed(tf.constant(seed, tf.int64)), words)
    in_graph = tf.function(stateless_seed)(tf.constant(seed, tf.int64))
    np.testing.assert_array_equal(in_graph, words)


def test_two_words_may_be_of_any_integer_dtype():
    for dtype in ("int32", "int64", "uint32"):
        np.testing.assert_array_equal(stateless_seed(np.array([3, 4], dtype)), [3, 4])


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, True, "1", np.nan])
def test_seeds_of_weights_are_refused_likewise(seed):
    with pytest.raises(InputError, match=r"`seed` must be None or an integer in \[0, 2\^63\)"):
        MarScf((4, 4, 1), num_levels=1, num_steps=1, hidden_channels=4, seed=seed)


def test_outside_of_replicas_a_batch_has_the_noise_of_its_shape():
    np.testing.assert_array_equal(
        batch_uniform([3, 2], 1, tf.float32), stateless_uniform([3, 2], 1, tf.float32)
    )


@pytest.mark.parametrize("probability", [0.0, 1e-4, 0.2, 0.5, 0.7, 0.999, 1.0])
def test_a_mask_has_the_share_of_false_in_all_of_it_and_in_each_column(probability):
    mask = batch_mask([2000, 5, 30], 3, probability).numpy()
    assert mask.shape == (2000, 5, 30)
    np.testing.assert_array_equal(mask, batch_mask([tf.constant(2000), 5, 30], 3, probability))
    deviation = np.sqrt(probability * (1.0 - probability))
    assert abs(np.mean(~mask) - probability) <= 5.0 * deviation / np.sqrt(mask.size)
    columns = np.mean(~mask, axis=(0, 1))
    assert np.max(np.abs(columns - probability)) <= 5.0 * deviation / np.sqrt(10_000)


def test_entries_of_a_mask_are_independent():
    """The greatest correlation of 24 columns, and of neighbouring rows, is that of chance."""
    mask = batch_mask([20_000, 24], 5, 0.2).numpy().astype(float)
    correlations = np.corrcoef(mask, rowvar=False) - np.eye(24)
    assert np.max(np.abs(correlations)) < 5.0 / np.sqrt(20_000)
    for shift in (1, 2, 3):
        pairs = np.corrcoef(mask[shift:].ravel(), mask[:-shift].ravel())[0, 1]
        assert abs(pairs) < 5.0 / np.sqrt(mask.size)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("columns", [[7], [5, 30], [4, 8]])
@pytest.mark.parametrize("probability", [0.2, 0.7])
def test_the_mask_of_some_rows_is_part_of_that_of_the_batch(probability, columns, jit_compile):
    @tf.function(jit_compile=jit_compile)
    def rows(first, seed):
        return batch_mask([4, *columns], seed_of_rows(seed, first), probability)

    seed = tf.constant([-3, 2**30])
    mask = batch_mask([20, *columns], seed, probability)
    for first in (0, 1, 2, 7, 16):
        np.testing.assert_array_equal(rows(tf.constant(first), seed), mask[first : first + 4])


def test_seeds_of_rows_are_split_as_others():
    plain = split_seed(tf.constant([3, 4]), 3)
    for one, other in zip(split_seed(seed_of_rows([3, 4], 5), 3), plain, strict=True):
        np.testing.assert_array_equal(one, [*other.numpy(), 5])


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_noise_from_a_row_on_is_that_of_the_batch(dtype):
    for seed in (5, -5, [-7, 2**30]):
        noise = stateless_uniform([9, 3], seed, dtype)
        rows = stateless_uniform([4, 3], seed, dtype, first_row=2)
        np.testing.assert_array_equal(rows, noise[2:6])


def test_a_mask_is_the_same_under_xla():
    def draw(seed):
        return batch_mask([3, 4, 7], seed, 0.2)

    seed = tf.constant([1, 2])
    np.testing.assert_array_equal(draw(seed), tf.function(draw, jit_compile=True)(seed))


def test_xla_compiles_a_mask_once_for_all_seeds_and_rows():
    """A seed that it takes for a constant is compiled again at each step, or stays the first."""
    seed = tf.Variable(tf.constant([1, 2, 3]))

    @tf.function(jit_compile=True, autograph=False)
    def mask():
        return batch_mask([4, 5], seed.read_value(), 0.3)

    programs = []
    for value in ([1, 2, 3], [4, 5, 6]):
        seed.assign(value)
        programs.append(mask.experimental_get_compiler_ir()(stage="stablehlo"))
    assert programs[0] == programs[1]

"""Numbered samples: each a function of the seed and its number."""

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.small_models import randomize
from tests.small_trainers import small_distribution
from tf_marscf.errors import RunError
from tf_marscf.sampling.sample_graph import SampleGraph
from tf_marscf.sampling.sample_stream import SampleStream, draw_samples
from tf_marscf.stateless_seed import stateless_seed


@pytest.fixture(scope="module", name="distribution")
def fixture_distribution():
    distribution = small_distribution(num_levels=1)
    randomize(distribution.distribution)
    return distribution


def collect(stream, *args):
    batches = list(stream.batches(*args))
    images, indices = (
        np.concatenate([getattr(batch, name) for batch in batches])
        for name in ("images", "indices")
    )
    assert not sum(batch.num_non_finite for batch in batches)
    return images, indices


def test_a_sample_does_not_depend_on_batch_size_number_or_start(distribution):
    all_images, indices = collect(SampleStream(distribution, seed=3, batch_size=8), 16)
    np.testing.assert_array_equal(indices, np.arange(16))
    for batch_size, num_samples, first_index in ((5, 7, 0), (3, 4, 9), (1, 1, 15)):
        stream = SampleStream(distribution, seed=3, batch_size=batch_size)
        images, indices = collect(stream, num_samples, first_index)
        np.testing.assert_array_equal(indices, first_index + np.arange(num_samples))
        # Float rounding may move a value over the edge of a grey level.
        expected = all_images[first_index : first_index + num_samples].astype(int)
        assert np.abs(images - expected).max() <= 1
        assert np.mean(images != expected) < 0.01


def test_samples_and_seeds_differ(distribution):
    first, second = (draw_samples(distribution, 4, seed=seed) for seed in (0, 1))
    assert len(np.unique(np.concatenate([first, second]).reshape(8, -1), axis=0)) == 8


def test_temperature_scales_the_noise(distribution):
    frozen = draw_samples(distribution, 3, seed=0, temperature=0.0)
    np.testing.assert_array_equal(frozen, np.repeat(frozen[:1], 3, axis=0))
    model = distribution.distribution
    shapes = [level.latent_prior.event_shape for level in model.levels]
    mode = model.decode_noise([tf.zeros([1, *shape]) for shape in shapes])
    np.testing.assert_array_equal(frozen[:1], distribution.scaling.grey_levels(mode))
    spread = [
        draw_samples(distribution, 32, seed=0, temperature=temperature).std(axis=0).mean()
        for temperature in (0.25, 1.0)
    ]
    assert spread[0] < spread[1]


def test_each_level_may_have_its_own_temperature():
    distribution = small_distribution(prior="gaussian", num_levels=2)
    model = randomize(distribution.distribution)
    noises, decode = [], model.decode_noise
    model.decode_noise = lambda noise: noises.append(noise) or decode(noise)
    graph, seeds = SampleGraph(distribution, 4), tf.stack([stateless_seed(3)] * 2)
    for temperature in ([1.0, 1.0], [0.5, 0.25], [1.0, 0.0]):
        graph._draw(seeds, tf.range(4), tf.constant(temperature))
    for scaled, scales in zip(noises[1:], ([0.5, 0.25], [1.0, 0.0]), strict=True):
        for maps, whole, scale in zip(scaled, noises[0], scales, strict=True):
            np.testing.assert_array_equal(maps, scale * whole)
    del model.decode_noise
    stream = SampleStream(distribution, seed=3, batch_size=4)
    batches = [next(stream.batches(4, temperature=value)) for value in (0.5, [0.5, 0.5])]
    np.testing.assert_array_equal(*(batch.images for batch in batches))
    with pytest.raises(ValueError, match="one for each of 2 levels; got 3"):
        next(stream.batches(4, temperature=[1.0, 1.0, 1.0]))


def test_noise_is_standard_normal_and_independent_between_samples(distribution):
    """A model that is the identity, but for the squeeze, shows its noise."""
    model = small_distribution(prior="gaussian", num_levels=1).distribution
    noises = []
    model.decode_noise = lambda noise: noises.append(noise) or tf.zeros([64, 8, 8, 1])
    draw = SampleGraph(distribution_of(model), batch_size=64)._draw
    draw(stateless_seed(0)[tf.newaxis], tf.range(64), tf.ones([1]))
    noise = noises[0][0].numpy().reshape(64, 64)
    assert abs(noise.mean()) < 4 / 64
    assert abs(noise.std() - 1.0) < 0.05
    correlations = np.corrcoef(noise) - np.eye(64)
    assert np.abs(correlations).max() < 0.6
    assert abs(correlations.mean()) < 0.01


def distribution_of(model):
    return tf_marscf.Dequantized(model, num_grey_levels=17)


def test_samples_that_are_not_finite_keep_their_numbers_to_themselves(distribution, monkeypatch):
    model = distribution.distribution
    decode = type(model).decode_noise

    def decode_noise(noise):
        is_wrong = tf.reduce_any(noise[0] > 2.5, axis=[1, 2, 3])
        return tf.where(is_wrong[:, None, None, None], np.nan, decode(model, noise))

    whole = draw_samples(distribution, 32, seed=0)
    monkeypatch.setattr(model, "decode_noise", decode_noise, raising=False)
    batches = list(SampleStream(distribution, seed=0, batch_size=8).batches(32))
    indices = np.concatenate([batch.indices for batch in batches])
    assert 0 < len(indices) < 32
    assert len(indices) + sum(batch.num_non_finite for batch in batches) == 32
    kept = np.concatenate([batch.images for batch in batches])
    assert np.mean(kept != whole[indices]) < 0.01

    monkeypatch.setattr(
        model, "decode_noise", lambda noise: decode(model, noise) * np.nan, raising=False
    )
    with pytest.raises(RunError, match="none of 4 samples is finite"):
        draw_samples(distribution, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": -1.0}, "`temperature` must be finite and >= 0; got -1.0"),
        ({"temperature": float("nan")}, "`temperature` must be finite and >= 0; got nan"),
        ({"temperature": float("inf")}, "`temperature`"),
        ({"seed": -1}, "`seed` must be an integer >= 0; got -1"),
        ({"batch_size": 0}, "`batch_size` must be an integer >= 1; got 0"),
        ({"num_samples": 0}, "`num_samples` must be an integer >= 1; got 0"),
    ],
)
def test_wrong_arguments_are_named(distribution, arguments, message):
    with pytest.raises(ValueError, match=message):
        draw_samples(distribution, **({"num_samples": 2} | arguments))


def test_numbers_end_where_the_seeds_do(distribution):
    stream = SampleStream(distribution, batch_size=2)
    with pytest.raises(ValueError, match="must be at most 2147483647; got 2147483648"):
        next(stream.batches(1, first_index=2**31 - 1))
    (batch,) = stream.batches(1, first_index=2**31 - 2)
    assert batch.indices == [2**31 - 2]


def test_a_stream_has_the_same_noise_at_another_temperature():
    pixels = small_distribution(prior="gaussian")
    stream = SampleStream(pixels, 3, batch_size=4)
    for temperature in (0.5, 1.0):
        (batch,) = stream.batches(4, temperature=temperature)
        (expected,) = SampleStream(pixels, 3, batch_size=4).batches(4, temperature=temperature)
        np.testing.assert_array_equal(batch.images, expected.images)
    with pytest.raises(ValueError, match="`temperature` must be finite and >= 0; got -1"):
        next(stream.batches(4, temperature=-1.0))

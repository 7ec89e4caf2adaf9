"""Samples whose levels have seeds of their own."""

import numpy as np
import pytest
import tensorflow as tf

from tests.small_models import randomize
from tests.small_trainers import small_distribution
from tf_marscf.sampling.sample_graph import SampleGraph
from tf_marscf.sampling.sample_stream import SampleStream
from tf_marscf.stateless_seed import stateless_seed


@pytest.fixture(scope="module", name="distribution")
def fixture_distribution():
    distribution = small_distribution(num_levels=2, prior="gaussian")
    randomize(distribution.distribution)
    return distribution


def test_one_seed_for_all_levels_gives_the_samples_of_a_stream(distribution):
    graph = SampleGraph(distribution, 4)
    images, is_finite = graph([3, 3], np.arange(4), 0.5)
    expected = SampleStream(distribution, seed=3, batch_size=4).draw(4, 0.5)
    assert is_finite.all()
    np.testing.assert_array_equal(images, expected)
    # Another seed for one level, and the graph is the same.
    other, _ = graph([3, 4], np.arange(4), 0.5)
    assert (other != images).any()
    assert graph.function.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("level", [0, 1])
def test_the_noise_of_the_other_level_stays(distribution, level, monkeypatch):
    model, drawn = distribution.distribution, []
    decode = model.decode_noise
    monkeypatch.setattr(model, "decode_noise", lambda noise: drawn.append(noise) or decode(noise))
    graph = SampleGraph(distribution, 3)
    seeds = [[5, 5], [5, 5]]
    seeds[1][level] = 6
    for by_level in seeds:
        graph._draw(
            tf.stack([stateless_seed(seed) for seed in by_level]), tf.range(3), tf.ones([2])
        )
    (first, second), other = drawn, 1 - level
    np.testing.assert_array_equal(first[other], second[other])
    assert np.all(first[level] != second[level])

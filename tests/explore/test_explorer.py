"""What the page does with a model, without the page."""

import numpy as np
import pytest
import tensorflow as tf

from tests.small_models import randomize
from tests.small_trainers import random_pixels, small_distribution
from tf_marscf.errors import InputError, RunError
from tf_marscf.explore.explorer import NUM_POINTS, Explorer
from tf_marscf.sampling.sample_stream import SampleStream


def explorer_of(**options):
    distribution = small_distribution(prior="gaussian", **options)
    randomize(distribution.distribution)
    return Explorer(distribution), distribution


@pytest.fixture(scope="module", name="opened")
def fixture_opened():
    return explorer_of()


@pytest.fixture(scope="module", name="with_classes")
def fixture_with_classes():
    return explorer_of(num_levels=1, num_classes=3)


def test_facts_are_those_of_the_model(opened, with_classes):
    explorer, _ = opened
    assert (explorer.image_shape, explorer.num_levels) == ((8, 8, 1), 2)
    assert (explorer.num_grey_levels, explorer.num_classes) == (17, None)
    assert not explorer.has_even_log_dets
    assert explorer.lacks == {}
    assert with_classes[0].num_classes == 3


def test_samples_are_those_of_the_command(opened):
    explorer, distribution = opened
    done = []
    batch = explorer.sample(10, 3, [0.5, 1.0], on_batch=lambda *counts: done.append(counts))
    expected = SampleStream(distribution, seed=3, batch_size=8).draw(10, [0.5, 1.0])
    np.testing.assert_array_equal(batch.images, expected)
    np.testing.assert_array_equal(batch.indices, np.arange(10))
    assert done == [(0, 10), (8, 10)]


def test_one_level_drawn_again_is_another_seed_of_it(opened):
    explorer, _ = opened
    first = explorer.sample(4, 3)
    for level in (1, 2):
        seeds = [7 if number == level else 3 for number in (1, 2)]
        again = explorer.draw_level_again(4, 3, level, 7)
        np.testing.assert_array_equal(again.images, explorer.sample(4, seeds).images)
        assert (again.images != first.images).any()
    both = explorer.sample(4, [7, 7])
    np.testing.assert_array_equal(both.images, explorer.sample(4, 7).images)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_samples": 0}, "`num_samples` must be an integer in 1 ... 64; got 0"),
        ({"num_samples": 65}, "got 65"),
        ({"seeds": -1}, "`seed` must be an integer >= 0; got -1"),
        ({"seeds": [1, 2, 3]}, "`seeds` must be one a level, 2; got 3"),
        ({"temperature": -0.5}, "`temperature` must be finite and >= 0"),
        ({"temperature": [1.0]}, "one for each of 2 levels"),
        ({"label": 1}, "`label` of .* must be None, since it has no classes"),
    ],
)
def test_wrong_requests_for_samples_are_named(opened, arguments, message):
    arguments = {"num_samples": 2, "seeds": 0} | arguments
    with pytest.raises(InputError, match=message):
        opened[0].sample(**arguments)


def test_a_level_that_there_is_not_is_named(opened):
    with pytest.raises(InputError, match="`level` must be an integer in 1 ... 2; got 3"):
        opened[0].draw_level_again(2, 0, 3, 1)


def test_samples_of_classes(with_classes):
    explorer, distribution = with_classes
    batch = explorer.sample(5, 1)
    np.testing.assert_array_equal(batch.labels, [0, 1, 2, 0, 1])
    of_one = explorer.sample(5, 1, label=2)
    expected = SampleStream(distribution, seed=1, batch_size=8, label=2).draw(5)
    np.testing.assert_array_equal(of_one.images, expected)
    with pytest.raises(InputError, match="`label` of .* from 0 to 2"):
        explorer.sample(5, 1, label=3)


def test_a_path_ends_in_the_images(opened):
    explorer, distribution = opened
    first, second = random_pixels(2)
    path = explorer.path(first, second)
    assert path.images.shape == (NUM_POINTS, 8, 8, 1)
    np.testing.assert_array_equal(path.images[0], first)
    np.testing.assert_array_equal(path.images[-1], second)
    # By the definition, half way.
    noise = tf.fill([2, 8, 8, 1], 0.5)
    ends = distribution.scaling.continuous(np.stack([first, second]), noise)
    model = distribution.distribution
    middle = [(maps[:1] + maps[1:]) / 2.0 for maps in model.latents(ends)]
    expected = distribution.scaling.grey_levels(model.decode(middle))[0]
    assert np.mean(path.images[NUM_POINTS // 2] != expected) < 0.02
    bits = -model.log_prob(ends).numpy() / (64 * np.log(2.0)) + np.log2(17)
    np.testing.assert_allclose(path.bits_per_dim[[0, -1]], bits, rtol=1e-5)


def test_a_path_of_eq_11_has_the_same_ends_and_is_denser(opened, monkeypatch):
    explorer, _ = opened
    first, second = random_pixels(2)
    done = []
    path = explorer.projected_path(first, second, on_iteration=lambda *n: done.append(n))
    assert done[0] == (1, 100) and done[-1] == (100, 100)
    np.testing.assert_array_equal(path.images[[0, -1]], [first, second])
    assert path.bits_per_dim.shape == (NUM_POINTS,)


def test_densities_of_a_path_are_given_the_class_of_the_nearer_image(with_classes):
    explorer, distribution = with_classes
    weights = distribution.distribution.levels[0].latent_prior.shift
    first, second = random_pixels(2)
    path = explorer.path(first, second, [0, 2])
    of_first = explorer.path(first, second, [0, 0])
    middle = NUM_POINTS // 2
    assert weights.shape[0] == 3
    np.testing.assert_allclose(path.bits_per_dim[: middle + 1], of_first.bits_per_dim[: middle + 1])
    assert np.all(path.bits_per_dim[middle + 1 :] != of_first.bits_per_dim[middle + 1 :])
    with pytest.raises(InputError, match="`label`"):
        explorer.path(first, second)


def test_the_map_of_a_score_adds_up_to_it(opened):
    explorer, distribution = opened
    (image,) = random_pixels(1)
    score = explorer.score(image)
    assert score.maps.shape == (3, 8, 8)
    assert score.bits_per_dim == score.maps.sum()
    expected = float(distribution.bits_per_dim(image[np.newaxis], seed=0)[0])
    assert score.bits_per_dim == pytest.approx(expected, rel=1e-5)
    assert (score.label, score.label_probability) == (None, None)


def test_a_score_is_given_a_class_or_the_most_probable_one(with_classes):
    explorer, distribution = with_classes
    (image,) = random_pixels(1)
    log_probs = distribution.class_log_probs(image[np.newaxis], seed=0).numpy()[0]
    best = int(np.argmax(log_probs))
    score = explorer.score(image)
    assert score.label == best
    weights = np.exp(np.float64(log_probs) - log_probs.max())
    assert score.label_probability == pytest.approx(1.0 / weights.sum(), rel=1e-4)
    for label in range(3):
        given = explorer.score(image, label)
        expected = -log_probs[label] / (64 * np.log(2.0))
        assert given.bits_per_dim == pytest.approx(expected, rel=1e-5)
        assert (given.label, given.label_probability) == (label, None)
    with pytest.raises(InputError, match="`label` of .* from 0 to 2"):
        explorer.score(image, 3)


def test_numbers_that_are_not_finite_are_named():
    explorer, distribution = explorer_of(num_levels=1)
    (weights,) = (v for v in distribution.variables if "mean_and_log_scale" in v.name)
    weights.assign(np.full(weights.shape, np.nan, np.float32))
    first, second = random_pixels(2)
    with pytest.raises(RunError, match="none of 2 samples is finite"):
        explorer.sample(2, 0)
    with pytest.raises(RunError, match="points of the path are not finite"):
        explorer.path(first, second)
    with pytest.raises(RunError, match="the bits/dim of this image are not finite"):
        explorer.score(first)

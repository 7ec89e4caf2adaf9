"""Interpolation in the latent space: linear, and projected to high density (Eq. 11)."""

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.small_models import BOTH_OF_ALL, greatest_difference, random_images, small_model
from tf_marscf.errors import InputError, RunError
from tf_marscf.interpolation.interpolation import Interpolator
from tf_marscf.interpolation.interpolation_config import ProjectionConfig
from tf_marscf.interpolation.latent_projection import LatentProjection

MODELS = [*BOTH_OF_ALL, {"image_shape": (8, 4, 3), "num_levels": 1}]


def make_model(**options):
    return small_model(dtype="float64", **options)


def standard_normal_model():
    """New Gaussian priors are N(0, 1), and new couplings do not distort."""
    return tf_marscf.MarScf(
        (4, 4, 1), num_levels=2, num_steps=1, hidden_channels=4, prior="gaussian",
        dtype="float64", seed=0,
    )  # fmt: skip


def images_of(model, count, seed=0):
    return random_images(count, *model.event_shape, dtype="float64", seed=seed)


def make_interpolator(model, num_pairs=2, num_points=2):
    first, second = (images_of(model, num_pairs, seed) for seed in (0, 1))
    return Interpolator(model, first, second, num_points=num_points)


@pytest.mark.parametrize("options", MODELS)
def test_one_pass_gives_images_priors_and_log_dets(options):
    model = make_model(**options)
    latents = model.latents(images_of(model, 3))
    images, log_priors, log_dets = model.decode_with_log_prob_parts(latents)
    np.testing.assert_array_equal(images, model.decode(latents))
    expected = model.log_prob_parts(images)
    np.testing.assert_allclose((log_priors, log_dets), expected, rtol=1e-9, atol=1e-9)


def test_linear_points_are_the_formula_and_end_in_the_images():
    model = make_model()
    first, second = images_of(model, 2, 0), images_of(model, 2, 1)
    linear = Interpolator(model, first, second, num_points=3).linear
    first_latents, second_latents = model.latents(first), model.latents(second)
    for level, maps in enumerate(linear.latents):
        np.testing.assert_allclose(maps[:, 0], first_latents[level], atol=1e-12)
        np.testing.assert_allclose(maps[:, -1], second_latents[level], atol=1e-12)
        quarter = 0.75 * first_latents[level] + 0.25 * second_latents[level]
        np.testing.assert_allclose(maps[:, 1], quarter, atol=1e-12)
    assert greatest_difference(linear.images[:, 0], first) < 1e-9
    assert greatest_difference(linear.images[:, -1], second) < 1e-9
    np.testing.assert_allclose(linear.log_prob[:, 0], model.log_prob(first), rtol=1e-9)
    np.testing.assert_array_equal(linear.latent_distance, np.zeros([2, 5]))
    np.testing.assert_allclose(linear.image_distances[:, 0, 0], 0.0, atol=1e-7)


@pytest.mark.parametrize("distance", ["root_mean_square", "mean_square"])
def test_objective_is_the_formula(distance):
    """Against NumPy, with g and log p from `decode` and `log_prob_parts`, point by point."""
    model = make_model()
    first, second = images_of(model, 1, 0), images_of(model, 1, 1)
    latents, linear = model.latents(images_of(model, 1, 2)), model.latents(images_of(model, 1, 3))
    latents, linear = ([maps[:, tf.newaxis] for maps in part] for part in (latents, linear))
    config = ProjectionConfig(lambda_1=0.25, lambda_2=0.4, distance=distance)
    objective = LatentProjection(model, linear, first, second).objective(latents, config)

    def measure(*differences):
        mean_square = sum(np.sum(np.square(part)) for part in differences) / 64
        return np.sqrt(mean_square) if distance == "root_mean_square" else mean_square

    image = model.decode([maps[0] for maps in latents])
    log_priors, _ = model.log_prob_parts(image)
    expected = (
        measure(*(a - b for a, b in zip(latents, linear, strict=True)))
        - 0.25 * float(sum(log_priors)[0]) / 64
        + 0.4 * min(measure(image - first), measure(image - second))
    )
    np.testing.assert_allclose(objective, [[expected]], rtol=1e-9)


def test_projection_to_a_standard_normal_is_the_closed_form():
    """|z - z_lin|^2 + lambda |z|^2 / 2 is least at z_lin / (1 + lambda / 2)."""
    model = standard_normal_model()
    interpolator = Interpolator(model, images_of(model, 1, 0), images_of(model, 1, 1), 2)
    config = ProjectionConfig(
        lambda_1=0.5, lambda_2=0.0, learning_rate=5e-3, num_iterations=300, distance="mean_square"
    )
    result = interpolator.interpolate(config)
    for projected, linear in zip(
        result.projected.inner().latents, result.linear.inner().latents, strict=True
    ):
        np.testing.assert_allclose(projected, linear / 1.25, atol=1e-3)


@pytest.mark.parametrize("options", MODELS)
def test_projection_descends_and_raises_the_prior_of_every_point(options):
    model = make_model(**options)
    interpolator = make_interpolator(model)
    # Without the kink of the norm, at which small models with random weights would stay.
    config = ProjectionConfig(num_iterations=5, distance="mean_square")
    result = interpolator.interpolate(config)
    assert result.num_unmoved == 0
    assert not result.is_retried.any()
    assert (result.projected.log_prior[:, 1:-1] > result.linear.log_prior[:, 1:-1]).all()
    linear, projected = result.linear.inner(), result.projected.inner()
    projection = interpolator.projection
    before, after = (projection.objective(points.latents, config) for points in (linear, projected))
    assert np.all(after < before)
    # What is reported is that of the reported latents.
    images, log_priors, log_dets = model.decode_with_log_prob_parts(projected.latents)
    np.testing.assert_allclose(projected.images, images, atol=1e-9)
    np.testing.assert_allclose(projected.log_prior, sum(log_priors), rtol=1e-9)
    np.testing.assert_allclose(projected.log_prob, sum(log_priors) + sum(log_dets), rtol=1e-9)
    # The end points are the images.
    for end in (0, -1):
        np.testing.assert_array_equal(result.projected.images[:, end], result.linear.images[:, end])


def test_points_do_not_know_of_each_other():
    model = make_model(num_levels=1)
    first, second = images_of(model, 2, 0), images_of(model, 2, 1)
    config = ProjectionConfig(num_iterations=10)
    together = Interpolator(model, first, second, num_points=3).interpolate(config)
    assert (together.log_prior_gain > 0.0).all()
    for pair in range(2):
        rows = slice(pair, pair + 1)
        alone = Interpolator(model, first[rows], second[rows], num_points=3).interpolate(config)
        np.testing.assert_allclose(
            alone.projected.log_prior, together.projected.log_prior[rows], rtol=1e-7
        )
        np.testing.assert_allclose(
            alone.projected.images, together.projected.images[rows], atol=1e-7
        )


def test_the_same_twice_also_after_another_projection():
    interpolator = make_interpolator(make_model())
    config = ProjectionConfig(num_iterations=4)
    first = interpolator.interpolate(config)
    interpolator.interpolate(ProjectionConfig(num_iterations=2, lambda_1=0.9))
    second = interpolator.interpolate(config)
    np.testing.assert_array_equal(first.projected.images, second.projected.images)
    np.testing.assert_array_equal(first.projected.log_prior, second.projected.log_prior)


def test_too_long_steps_are_tried_again_with_a_smaller_rate():
    """The first step is the learning rate in each element: 10 and 1 overshoot, 0.1 does not."""
    interpolator = make_interpolator(standard_normal_model())
    calls = []
    config = ProjectionConfig(num_iterations=1, learning_rate=10.0, lambda_2=0.0)
    result = interpolator.interpolate(config, on_iteration=lambda: calls.append(1))
    assert len(calls) == 1
    assert result.num_unmoved == 0
    assert result.is_retried.all()
    np.testing.assert_allclose(result.projected.inner().latent_distance, 0.1 * 4, rtol=1e-4)


def test_an_image_that_pulls_away_from_density_does_not_win():
    """The images are further from the mode of N(0, 1) than what lies between them."""
    interpolator = make_interpolator(standard_normal_model())
    result = interpolator.interpolate(ProjectionConfig(num_iterations=2, lambda_2=100.0))
    assert result.is_retried.any()
    assert (result.log_prior_gain > 0.0).all()


def test_a_point_without_a_denser_one_stays_linear_and_is_counted():
    interpolator = make_interpolator(standard_normal_model())
    result = interpolator.interpolate(ProjectionConfig(num_iterations=1, learning_rate=3e4))
    assert result.num_unmoved == 4
    np.testing.assert_array_equal(result.projected.images, result.linear.images)


def test_lambda_curve_begins_at_the_linear_path_and_rises():
    interpolator = make_interpolator(make_model())
    config = ProjectionConfig(num_iterations=10)
    curve = list(interpolator.lambda_curve([0.0, 0.3, 1.0], config))
    assert [value for value, _ in curve] == [0.0, 0.3, 1.0]
    assert [points.images.shape for _, points in curve] == 3 * [(2, 2, 8, 8, 1)]
    rows = [points.summary() for _, points in curve]
    assert rows[0]["latent_distance"] == 0.0
    mean = np.mean(interpolator.linear.log_prior[:, 1:-1]) / 64
    assert rows[0]["log_prior_per_dim"] == pytest.approx(mean)
    densities = [row["log_prior_per_dim"] for row in rows]
    assert densities == sorted(densities)


def test_an_iterate_that_is_not_finite_is_named():
    model = make_model()
    interpolator = make_interpolator(model)
    config = ProjectionConfig(num_iterations=3, learning_rate=1e200)
    with pytest.raises(RunError, match="objective.* after 1 iterations.* point 1 of pair 1 "):
        interpolator.interpolate(config)


def test_an_image_that_is_not_finite_is_named():
    model = make_model()
    first, second = images_of(model, 2, 0).numpy(), images_of(model, 2, 1)
    first[1, 3, 3, 0] = np.nan
    with pytest.raises(RunError, match="`log_prior` must be finite; got nan for image 1 of pair 2"):
        Interpolator(model, first, second)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lambda_1", 0.0),
        ("lambda_1", float("inf")),
        ("lambda_2", -0.1),
        ("lambda_2", float("nan")),
        ("learning_rate", 0.0),
        ("num_iterations", 0),
        ("num_iterations", 1.5),
        ("num_iterations", True),
        ("distance", "manhattan"),
    ],
)
def test_wrong_options_are_named(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be .*; got {value!r}"):
        ProjectionConfig(**{name: value})


def test_wrong_arguments_are_named():
    model = make_model()
    images = images_of(model, 2)
    with pytest.raises(ValueError, match="`num_points` must be an integer >= 1; got 0"):
        Interpolator(model, images, images, num_points=0)
    with pytest.raises(ValueError, match="must be of one shape.*got .2, 8, 8, 1. and .1, 8, 8, 1."):
        Interpolator(model, images, images[:1])
    with pytest.raises(ValueError, match="`second_images` of .* must have shape.*8, 4, 1"):
        Interpolator(model, images, images[:, :, :4])
    with pytest.raises(TypeError, match="`first_images` of .* must have dtype float64"):
        Interpolator(model, tf.cast(images, tf.float32), images)
    with pytest.raises(ValueError, match="must be of one shape"):
        Interpolator(model, images[:0], images[:0])
    with pytest.raises(ValueError, match="`lambdas` must hold finite numbers >= 0; got -0.5"):
        next(Interpolator(model, images, images, num_points=1).lambda_curve([0.0, -0.5]))


def test_points_have_the_class_of_the_nearer_image():
    model = make_model(num_classes=3, prior="gaussian", num_levels=1)
    first, second = images_of(model, 2, 0), images_of(model, 2, 1)
    interpolator = Interpolator(model, first, second, num_points=3, labels=[[0, 2], [1, 1]])
    interpolation = interpolator.interpolate(ProjectionConfig(num_iterations=2))
    for points in (interpolation.linear, interpolation.projected):
        expected = model.log_prob(points.images, label=[[0, 0, 0, 2, 2], [1] * 5])
        np.testing.assert_allclose(points.log_prob, expected, rtol=1e-8)
    assert np.all(interpolation.log_prior_gain >= 0.0)
    with pytest.raises(InputError, match="`label` of MarScf must be integers from 0 to 2"):
        Interpolator(model, first, second)

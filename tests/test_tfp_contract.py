"""What TFP expects of its distributions and bijectors, of every public class; its own helpers."""

import copy
import pickle

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from absl import flags
from tensorflow_probability.python.internal import test_util

import tf_marscf
from tests.bijectors.test_bijectors import LAYERS, layer, output_shape
from tests.small_models import random_images, randomize, small_model
from tf_marscf import distributions as public

tfd, tfb = tfp.distributions, tfp.bijectors


class PriorOfAClass(public.ClassConditionalPrior):
    """What the class with its `label` is to wrappers of TFP, which pass none on."""

    _parameter_properties = public.ClassConditionalPrior._parameter_properties

    def _log_prob(self, value, conditional_input=None, label=1):
        return super()._log_prob(value, conditional_input, label)

    def _call_sample_n(self, sample_shape, seed, conditional_input=None, label=1, temperature=1.0):
        return super()._call_sample_n(sample_shape, seed, conditional_input, label, temperature)

    def _sample_and_log_prob(
        self, sample_shape, seed, conditional_input=None, label=1, temperature=1.0
    ):
        latents = self._call_sample_n(sample_shape, seed, conditional_input, label, temperature)
        return latents, self._log_prob(latents, conditional_input, label)


@pytest.fixture(scope="module", name="all_distributions")
def fixture_all_distributions():
    mar, gaussian = small_model((4, 4, 1)), small_model((4, 4, 1), prior="gaussian")
    return {
        "MarScf": mar,
        "Dequantized": tf_marscf.Dequantized(mar, num_grey_levels=17),
        "FlowLevel": mar.levels[1],
        "SplitPrior": mar.distribution,
        "MarPrior": mar.levels[1].latent_prior,
        "GaussianPrior": gaussian.levels[1].latent_prior,
        "ClassConditionalPrior": randomize(PriorOfAClass(mar.levels[1].latent_prior, 3)),
    }


NAMES = [
    "MarScf",
    "Dequantized",
    "FlowLevel",
    "SplitPrior",
    "MarPrior",
    "GaussianPrior",
    "ClassConditionalPrior",
]


@pytest.fixture(params=NAMES, name="distribution")
def fixture_distribution(request, all_distributions):
    return all_distributions[request.param]


def kwargs_of(distribution):
    """A fixed seed of the noise, where `log_prob` draws any."""
    return {"seed": 3} if isinstance(distribution, tf_marscf.Dequantized) else {}


def test_every_public_distribution_is_here():
    classes = {
        name for name in public.__all__ if issubclass(getattr(public, name), tfd.Distribution)
    }
    # Noise given an image is in test_variational_dequantizer.py.
    assert classes - {"LatentPrior", "VariationalDequantizer"} | {"MarScf"} == set(NAMES)


def test_shapes_dtypes_and_texts(distribution):
    samples = distribution.sample([2, 3], seed=1)
    assert samples.dtype == distribution.dtype
    assert samples.shape == [2, 3, *distribution.event_shape]
    np.testing.assert_array_equal(distribution.event_shape_tensor(), distribution.event_shape)
    assert distribution.batch_shape_tensor().shape == (0,)
    assert distribution.event_shape_tensor().dtype == tf.int32
    assert not distribution.is_scalar_event()
    assert distribution.is_scalar_batch()
    assert distribution.name in repr(distribution)
    assert distribution.name in str(distribution)


@pytest.mark.parametrize(
    "statistic", ["mean", "mode", "variance", "stddev", "covariance", "entropy", "cdf", "quantile"]
)
def test_what_has_no_formula_is_not_implemented(distribution, statistic):
    arguments = {"cdf": [distribution.sample(seed=1)], "quantile": [0.5]}.get(statistic, [])
    with pytest.raises(NotImplementedError):
        getattr(distribution, statistic)(*arguments)
    with pytest.raises(NotImplementedError):
        distribution.kl_divergence(distribution)


def test_value_and_log_prob_together(distribution):
    if isinstance(distribution, tf_marscf.Dequantized):
        pytest.skip("its log_prob has noise of its own")
    samples, log_prob = distribution.experimental_sample_and_log_prob(3, seed=1)
    np.testing.assert_allclose(log_prob, distribution.log_prob(samples), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(distribution.prob(samples), tf.exp(log_prob), rtol=1e-3)


def test_local_measure_is_log_prob(distribution):
    samples, kwargs = distribution.sample(2, seed=1), kwargs_of(distribution)
    log_prob, space = distribution.experimental_local_measure(samples, **kwargs)
    np.testing.assert_array_equal(log_prob, distribution.log_prob(samples, **kwargs))
    is_discrete = isinstance(distribution, tf_marscf.Dequantized)
    spaces = tfp.experimental.tangent_spaces
    assert isinstance(space, spaces.ZeroSpace if is_discrete else spaces.FullSpace)


@pytest.mark.parametrize("bijector", ["reshape", "transpose", "identity"])
def test_moving_pixels_keeps_probabilities(distribution, bijector):
    """Of images with grey levels as well, whose dtype knows no log-det."""
    shape = distribution.event_shape
    bijector = {
        "reshape": tfb.Reshape([-1], shape),
        "transpose": tfb.Transpose([1, 0, 2]),
        "identity": tfb.Identity(),
    }[bijector]
    transformed = tfd.TransformedDistribution(distribution, bijector)
    samples, kwargs = transformed.sample(2, seed=1), kwargs_of(distribution)
    assert samples.dtype == distribution.dtype
    np.testing.assert_allclose(
        transformed.log_prob(samples, distribution_kwargs=kwargs),
        distribution.log_prob(bijector.inverse(samples), **kwargs),
        rtol=1e-5,
    )


def test_sample_independent_mixture_and_joint(distribution):
    samples, kwargs = distribution.sample([2, 3], seed=1), kwargs_of(distribution)
    log_prob = distribution.log_prob(samples, **kwargs)
    np.testing.assert_allclose(
        tfd.Sample(distribution, 3).log_prob(samples, **kwargs),
        tf.reduce_sum(log_prob, axis=1), rtol=1e-5,
    )  # fmt: skip
    np.testing.assert_allclose(
        tfd.Independent(distribution, 0).log_prob(samples, **kwargs), log_prob, rtol=1e-6
    )
    weights = tfd.Categorical(probs=[0.3, 0.7])
    mixture = tfd.MixtureSameFamily(weights, tfd.BatchBroadcast(distribution, [2]))
    assert mixture.sample(3, seed=1).shape == [3, *distribution.event_shape]
    assert np.all(np.isfinite(mixture.log_prob(samples)))
    joint = tfd.JointDistributionNamedAutoBatched(
        {
            "image": distribution,
            "seen": lambda image: tfd.Independent(tfd.Normal(tf.cast(image, tf.float32), 0.1), 3),
        }
    )
    assert joint.log_prob(joint.sample(2, seed=1)).shape == (2,)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_deep_copies_have_equal_weights_of_their_own(distribution, duplicate):
    samples, kwargs = distribution.sample(2, seed=1), kwargs_of(distribution)
    before = distribution.log_prob(samples, **kwargs)
    twin = duplicate(distribution)
    np.testing.assert_array_equal(twin.log_prob(samples, **kwargs), before)
    for variable in twin.trainable_variables:
        variable.assign_add(0.3 * tf.ones_like(variable))
    np.testing.assert_array_equal(distribution.log_prob(samples, **kwargs), before)
    assert np.all(twin.log_prob(samples, **kwargs) != before)


@pytest.mark.parametrize("duplicate", [copy.copy, lambda one: one.copy(name="twin")])
def test_copies_share_the_weights(distribution, duplicate):
    samples, kwargs = distribution.sample(2, seed=1), kwargs_of(distribution)
    twin = duplicate(distribution)
    np.testing.assert_array_equal(
        twin.log_prob(samples, **kwargs), distribution.log_prob(samples, **kwargs)
    )
    assert set(map(id, twin.variables)) == set(map(id, distribution.variables))
    assert type(twin) is type(distribution)
    assert twin.parameters.keys() == distribution.parameters.keys()


def test_a_copy_has_the_name_and_the_checks_that_it_was_given(distribution):
    twin = distribution.copy(name="twin", validate_args=True)
    assert (twin.name, twin.validate_args) == ("twin", True)
    assert twin.parameters["name"] == "twin"
    assert (distribution.name, distribution.validate_args) != ("twin", True)
    bad = tf.cast(tf.fill(distribution.event_shape, 200.0), distribution.dtype)
    bad = bad if distribution.dtype == tf.uint8 else bad * np.nan
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be"):
        twin.log_prob(bad)


def test_samples_have_gradients_to_every_weight(distribution):
    if distribution.reparameterization_type == tfd.NOT_REPARAMETERIZED:
        pytest.skip("integers have none")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(distribution.sample(2, seed=1) ** 2)
    assert all(g is not None for g in tape.gradient(loss, distribution.trainable_variables))


class TestWithHelpersOfTfp(test_util.VectorDistributionTestHelpers, test_util.TestCase):
    """Among them one that integrates a density over a ball, and counts the samples in it."""

    def setUp(self):
        super().setUp()
        if not flags.FLAGS.is_parsed():  # TFP's helpers read flags of theirs.
            flags.FLAGS.mark_as_parsed()
            self.addCleanup(flags.FLAGS.unparse_flags)

    def test_samples_agree_with_the_density(self):
        model = small_model((2, 2, 1), num_levels=1, dtype="float64")
        vectors = tfd.TransformedDistribution(model, tfb.Reshape([4], [2, 2, 1]))
        samples = vectors.sample(2000, seed=1).numpy()
        center = samples.mean(axis=0)
        # A ball of a third of all samples: farther out, densities are too uneven to average over.
        radius = np.quantile(np.linalg.norm(samples - center, axis=1), 0.33)
        self.run_test_sample_consistent_log_prob(
            self.evaluate, vectors, num_samples=20_000, radius=radius, center=center, rtol=0.06,
            seed=1,
        )  # fmt: skip

    def test_gradients_agree_with_finite_differences(self):
        model = small_model((2, 2, 1), num_levels=1, dtype="float64")
        image = random_images(2, 2, 2, 1, dtype="float64")
        self.assertLess(self.compute_max_gradient_error(model.log_prob, [image], 1e-5), 1e-6)

    def test_samples_have_the_moments_of_a_gaussian_flow(self):
        prior = public.GaussianPrior((2, 2, 1), dtype="float64")
        prior.mean_and_log_scale.assign([0.3, -0.5])
        samples = prior.sample(20_000, seed=1)
        self.assertAllMeansClose(samples, np.full([2, 2, 1], 0.3), axis=0, atol=0.02)


def both_ways(name):
    bijector = layer(name)
    x = random_images(2, 4, 6, 4, dtype="float64")
    return bijector, x, bijector.forward(x)


@pytest.mark.parametrize("name", LAYERS)
def test_bijectors_inside_those_of_tfp(name):
    bijector, x, y = both_ways(name)
    log_det = bijector.forward_log_det_jacobian(x, event_ndims=3)
    inverse = tfb.Invert(bijector)
    np.testing.assert_allclose(inverse.forward(y), x, atol=1e-9)
    np.testing.assert_allclose(
        inverse.forward_log_det_jacobian(y, event_ndims=3), -log_det, rtol=1e-8, atol=1e-8
    )
    shape = output_shape(name)
    vectors = tfb.Chain([tfb.Reshape([-1], shape), bijector, tfb.Reshape([4, 6, 4])])
    flat = tf.reshape(x, [2, -1])
    np.testing.assert_allclose(vectors.forward(flat), tf.reshape(y, [2, -1]), atol=1e-12)
    np.testing.assert_allclose(vectors.inverse(vectors.forward(flat)), flat, atol=1e-9)
    np.testing.assert_allclose(vectors.forward_log_det_jacobian(flat, event_ndims=1), log_det)
    there_and_back = tfb.Chain([inverse, bijector])
    back = there_and_back.forward_log_det_jacobian(x, event_ndims=3)
    np.testing.assert_allclose(back, np.zeros(back.shape), atol=1e-8)
    # One more axis in the event: log-dets add up.
    whole = bijector.forward_log_det_jacobian(x, event_ndims=4)
    total = tf.reduce_sum(tf.broadcast_to(log_det, [2]))
    np.testing.assert_allclose(tf.reduce_sum(whole), total, rtol=1e-9)
    assert bijector.forward_event_shape([4, 6, 4]) == shape
    np.testing.assert_array_equal(inverse.forward_event_shape_tensor(shape), [4, 6, 4])
    assert bijector.name in repr(bijector)


@pytest.mark.parametrize("name", LAYERS)
def test_bijectors_transform_distributions_of_tfp(name):
    bijector, x, y = both_ways(name)
    base = tfd.Sample(tfd.Normal(tf.zeros([], tf.float64), 1.0), output_shape(name))
    flow = tfd.TransformedDistribution(base, tfb.Invert(bijector))
    expected = base.log_prob(y) + bijector.forward_log_det_jacobian(x, event_ndims=3)
    np.testing.assert_allclose(flow.log_prob(x), expected, rtol=1e-10)
    assert flow.sample(2, seed=1).shape == (2, 4, 6, 4)
    assert set(map(id, flow.trainable_variables)) == set(map(id, bijector.trainable_variables))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copied_bijectors_have_equal_weights_of_their_own(name, duplicate):
    bijector, x, y = both_ways(name)
    twin = duplicate(bijector)
    np.testing.assert_array_equal(twin.forward(x), y)
    for variable in twin.trainable_variables:
        variable.assign_add(0.3 * tf.ones_like(variable))
    np.testing.assert_array_equal(bijector.forward(x), y)
    if twin.trainable_variables:
        assert np.any(twin.forward(x) != y)


@pytest.mark.parametrize("name", LAYERS)
def test_copies_of_bijectors_share_the_weights(name):
    bijector, x, y = both_ways(name)
    twin = bijector.copy(name="twin")
    np.testing.assert_array_equal(twin.forward(x), y)
    assert twin.name == "twin"
    assert set(map(id, twin.variables)) == set(map(id, bijector.variables))

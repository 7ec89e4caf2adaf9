"""One contract for every layer of the flow."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.small_models import greatest_difference, random_images, randomize
from tf_marscf import bijectors as bijectors_module
from tf_marscf.bijectors import (
    ActNorm,
    AffineCoupling,
    ConditionalFlowStep,
    FlowStep,
    HalfSwap,
    ImageBijector,
    ImageChain,
    InvertibleConv1x1,
    MixLogCdfCoupling,
    ResidualBlock,
    Squeeze,
)

MIX_LOG_CDF_OPTIONS = {"num_blocks": 1, "num_components": 3, "num_heads": 2}


def chain(dtype, **kwargs):
    return ImageChain(
        [Squeeze(dtype=dtype), ActNorm(16, dtype=dtype), HalfSwap(16, dtype=dtype)], **kwargs
    )


# Each takes `dtype`, `validate_args` and `name`, and acts on images of four channels.
LAYERS = {
    "squeeze": Squeeze,
    "act_norm": functools.partial(ActNorm, 4),
    "invertible_conv1x1": functools.partial(InvertibleConv1x1, 4, seed=2),
    "affine_coupling": functools.partial(AffineCoupling, 4, 8, seed=2),
    "mix_log_cdf_coupling": functools.partial(
        MixLogCdfCoupling, 4, 8, seed=2, **MIX_LOG_CDF_OPTIONS
    ),
    "bounded_affine_coupling": functools.partial(AffineCoupling, 4, 8, max_log_scale=0.5, seed=2),
    "bounded_mix_log_cdf_coupling": functools.partial(
        MixLogCdfCoupling, 4, 8, max_log_scale=0.5, seed=2, **MIX_LOG_CDF_OPTIONS
    ),
    "residual_block": functools.partial(ResidualBlock, 4, 8, seed=2),
    "half_swap": functools.partial(HalfSwap, 4),
    "affine_flow_step": functools.partial(FlowStep, 4, 8, seed=2),
    "mix_log_cdf_flow_step": functools.partial(
        FlowStep, 4, 8, "mixlogcdf", coupling_options=MIX_LOG_CDF_OPTIONS, seed=2
    ),
    "residual_flow_step": functools.partial(
        FlowStep, 4, 8, "residual", coupling_options={"coefficient": 0.8}, seed=2
    ),
    "conditional_flow_step": functools.partial(ConditionalFlowStep, 2, 2, 8, seed=2),
    "image_chain": chain,
}
WITH_NETWORK = [
    name for name in LAYERS if any(word in name for word in ("coupling", "step", "block"))
]


def layer(name, dtype="float64"):
    return randomize(LAYERS[name](dtype=dtype))


def output_shape(name):
    """The output's event shape for images 4 x 6 x 4."""
    return (2, 3, 16) if name in ("squeeze", "image_chain") else (4, 6, 4)


def jacobian_log_det(function, value):
    """log|det| of the Jacobian of a function of one event, from autodiff."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(value)
        output = tf.reshape(function(value), [-1])
    matrix = tape.jacobian(output, value, experimental_use_pfor=False)
    return np.linalg.slogdet(np.reshape(matrix, [output.shape[0], -1]))[1]


def test_every_bijector_of_images_is_in_the_registry():
    public = {getattr(bijectors_module, name) for name in bijectors_module.__all__}
    layers = {cls for cls in public if issubclass(cls, ImageBijector)} - {ImageBijector}
    assert layers == {type(layer(name)) for name in LAYERS}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LAYERS)
def test_bijective_and_finite(name, dtype):
    """What TFP's own tests demand of a bijector, at ordinary values and far outside."""
    bijector = layer(name, dtype)
    tolerance = 1e-9 if dtype == "float64" else 2e-4
    for scale in (1.0, 20.0):
        x = scale * random_images(3, 4, 6, 4, dtype=dtype)
        y = scale * random_images(3, *output_shape(name), dtype=dtype, seed=1)
        image, preimage = bijector.forward(x), bijector.inverse(y)
        np.testing.assert_allclose(bijector.inverse(image), x, atol=tolerance * scale)
        np.testing.assert_allclose(bijector.forward(preimage), y, atol=tolerance * scale)
        forward_log_det = bijector.forward_log_det_jacobian(x, event_ndims=3)
        inverse_log_det = bijector.inverse_log_det_jacobian(y, event_ndims=3)
        assert forward_log_det.shape == inverse_log_det.shape == (3,)
        close = functools.partial(np.testing.assert_allclose, rtol=tolerance, atol=10 * tolerance)
        close(-bijector.inverse_log_det_jacobian(image, event_ndims=3), forward_log_det)
        close(-bijector.forward_log_det_jacobian(preimage, event_ndims=3), inverse_log_det)
        for values in (image, preimage, forward_log_det, inverse_log_det):
            assert np.all(np.isfinite(values))


@pytest.mark.parametrize("name", LAYERS)
def test_log_det_is_that_of_the_autodiff_jacobian(name):
    bijector = layer(name)
    x = 2.0 * random_images(4, 2, 4, dtype="float64")
    y = bijector.forward(x)
    np.testing.assert_allclose(
        bijector.forward_log_det_jacobian(x, event_ndims=3),
        jacobian_log_det(bijector.forward, x),
        atol=1e-10,
    )
    np.testing.assert_allclose(
        bijector.inverse_log_det_jacobian(y, event_ndims=3),
        jacobian_log_det(bijector.inverse, y),
        atol=1e-10,
    )


@pytest.mark.parametrize("leading_shape", [(), (2,), (2, 3), (0,)])
@pytest.mark.parametrize("name", LAYERS)
def test_any_leading_shape(name, leading_shape):
    bijector = layer(name, "float32")
    x = random_images(*leading_shape, 4, 6, 4)
    y, log_det = bijector.forward_and_log_det(x)
    assert tuple(y.shape) == leading_shape + output_shape(name)
    assert tuple(log_det.shape) == leading_shape
    assert tuple(bijector.forward_log_det_jacobian(x, event_ndims=3).shape) in (leading_shape, ())
    flat, flat_log_det = bijector.forward_and_log_det(tf.reshape(x, [-1, 4, 6, 4]))
    np.testing.assert_allclose(y, tf.reshape(flat, y.shape), atol=1e-6)
    np.testing.assert_allclose(log_det, tf.reshape(flat_log_det, leading_shape), rtol=1e-5)
    assert tuple(bijector.inverse(y).shape) == tuple(x.shape)


@pytest.mark.parametrize("name", LAYERS)
def test_unknown_batch_size(name):
    bijector = layer(name)
    traced = tf.function(
        lambda x: (bijector.forward(x), bijector.forward_log_det_jacobian(x, event_ndims=3)),
        input_signature=[tf.TensorSpec([None, 4, 6, 4], tf.float64)],
    )
    for batch_size in (1, 3):
        x = random_images(batch_size, 4, 6, 4, dtype="float64")
        y, log_det = traced(x)
        np.testing.assert_allclose(y, bijector.forward(x), atol=1e-12)
        np.testing.assert_allclose(
            log_det * tf.ones([batch_size], tf.float64),
            bijector.forward_and_log_det(x)[1],
            atol=1e-12,
        )


@pytest.mark.parametrize("name", LAYERS)
def test_shapes_are_inferred_without_running(name):
    bijector = layer(name)
    expected = output_shape(name)
    assert tuple(bijector.forward_event_shape([4, 6, 4])) == expected
    assert tuple(bijector.inverse_event_shape(expected)) == (4, 6, 4)
    np.testing.assert_array_equal(bijector.forward_event_shape_tensor([4, 6, 4]), expected)
    np.testing.assert_array_equal(bijector.inverse_event_shape_tensor(expected), [4, 6, 4])
    graph = tf.function(bijector.forward).get_concrete_function(
        tf.TensorSpec([None, 4, 6, 4], tf.float64)
    )
    assert graph.structured_outputs.shape.as_list() == [None, *expected]


@pytest.mark.parametrize("name", WITH_NETWORK)
def test_value_and_log_det_of_one_tensor_run_the_network_once(name):
    """The convolutions in the graph of both are those of the value alone."""
    bijector = layer(name)

    def convolutions(function):
        graph = tf.function(function).get_concrete_function(tf.TensorSpec([2, 4, 6, 4], tf.float64))
        return sum(operation.type == "Conv2D" for operation in graph.graph.get_operations())

    def both(x):
        return bijector.forward(x), bijector.forward_log_det_jacobian(x, event_ndims=3)

    assert convolutions(both) == convolutions(bijector.forward) > 0
    assert convolutions(lambda x: bijector.inverse(bijector.forward(x))) == convolutions(
        bijector.forward
    )


@pytest.mark.parametrize("name", WITH_NETWORK)
def test_eager_results_follow_the_weights(name):
    """TFP's cache would return the value of before for the same tensor."""
    bijector = layer(name)
    x = random_images(2, 4, 6, 4, dtype="float64")
    before = bijector.forward(x)
    randomize(bijector, seed=5)
    assert greatest_difference(bijector.forward(x), before) > 1e-3


@pytest.mark.parametrize("name", LAYERS)
def test_every_variable_is_trainable_or_fixed_on_purpose(name):
    bijector = layer(name)
    weights = {id(variable) for variable in bijector.variables}
    for module in bijector.submodules:
        if isinstance(getattr(module, "layer", None), keras.layers.Layer):
            assert {id(weight.value) for weight in module.layer.weights} <= weights
    fixed = [v.name for v in bijector.variables if not v.trainable]
    assert all("permutation" in name or "sign_s" in name for name in fixed)
    x = random_images(2, 4, 6, 4, dtype="float64")
    with tf.GradientTape() as tape:
        y, log_det = bijector.forward_and_log_det(x)
        loss = tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(log_det)
    gradients = tape.gradient(loss, bijector.trainable_variables)
    assert all(gradient is not None and np.any(gradient) for gradient in gradients)


@pytest.mark.parametrize("name", ["mix_log_cdf_coupling", "mix_log_cdf_flow_step"])
def test_one_dropout_mask_for_value_log_det_and_inverse(name):
    bijector = layer(name)
    x = 2.0 * random_images(4, 2, 4, dtype="float64")
    seed = tf.constant([3, 4])
    y, log_det = bijector.forward_and_log_det(x, dropout_seed=seed)
    assert greatest_difference(y, bijector.forward(x)) > 1e-6
    np.testing.assert_array_equal(y, bijector.forward(x, dropout_seed=seed))
    np.testing.assert_allclose(bijector.inverse(y, dropout_seed=seed), x, atol=1e-10)
    expected = jacobian_log_det(lambda x: bijector.forward(x, dropout_seed=seed), x)
    np.testing.assert_allclose(log_det, expected, atol=1e-10)


@pytest.mark.parametrize("direction", ["forward_and_log_det", "inverse_and_log_det"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name", ["affine_flow_step", "mix_log_cdf_flow_step", "residual_flow_step"]
)
def test_a_step_of_flow_is_the_chain_of_its_layers(name, dtype, direction):
    """Value, log-det and all gradients of the fused product, against one layer after another."""
    step = randomize(layer(name, dtype), scale=0.3, seed=3)
    maps = 2.0 * random_images(3, 4, 6, 4, dtype=dtype)

    def results(bijector):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            value, log_det = getattr(bijector, direction)(maps)
            loss = tf.reduce_sum(tf.sin(value)) + tf.reduce_sum(log_det)
        gradients = tape.gradient(loss, [maps, *step.trainable_variables])
        return [value, log_det, *gradients]

    tolerance = 1e-11 if dtype == "float64" else 1e-3
    chain_of_layers = ImageChain(step.bijectors)
    for fused, separate in zip(results(step), results(chain_of_layers), strict=True):
        scale = np.max(np.abs(separate))
        np.testing.assert_allclose(fused, separate, rtol=0.0, atol=tolerance * scale)


def test_squeeze_puts_the_input_channel_outermost():
    x = random_images(1, 4, 6, 3)
    y = Squeeze().forward(x).numpy()
    for i, j, c, a, b in np.ndindex(2, 3, 3, 2, 2):
        assert y[0, i, j, 4 * c + 2 * a + b] == x[0, 2 * i + a, 2 * j + b, c]


def test_half_swap_is_its_own_inverse():
    x = random_images(2, 2, 2, 6)
    swapped = HalfSwap(6).forward(x)
    np.testing.assert_array_equal(swapped[..., :3], x[..., 3:])
    np.testing.assert_array_equal(HalfSwap(6).forward(swapped), x)


def test_act_norm_is_the_identity_until_it_is_initialized():
    bijector = ActNorm(4, dtype="float64")
    x = 3.0 + 2.0 * random_images(50, 4, 6, 4, dtype="float64")
    np.testing.assert_array_equal(bijector.forward(x), x)
    y = bijector.initialize(x)
    np.testing.assert_allclose(np.mean(y, axis=(0, 1, 2)), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.std(y, axis=(0, 1, 2)), 1.0, rtol=1e-5)
    np.testing.assert_allclose(bijector.bias, -np.mean(x, axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(
        bijector.log_scale, -np.log(np.std(x, axis=(0, 1, 2)) + 1e-6), rtol=1e-10
    )


def test_act_norm_of_a_constant_channel_stays_finite():
    bijector = ActNorm(4)
    assert np.all(np.isfinite(bijector.initialize(tf.ones([2, 4, 6, 4]))))


@pytest.mark.parametrize("num_channels", [1, 3, 8])
def test_invertible_conv1x1_starts_as_a_rotation_and_knows_its_inverse(num_channels):
    bijector = InvertibleConv1x1(num_channels, seed=1, dtype="float64")
    matrix = bijector.matrix().numpy()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(num_channels), atol=1e-12)
    randomize(bijector)
    np.testing.assert_allclose(
        bijector.matrix() @ bijector.inverse_matrix(), np.eye(num_channels), atol=1e-10
    )
    permutation = bijector.permutation.numpy()
    np.testing.assert_array_equal(permutation @ permutation.T, np.eye(num_channels))


def test_invertible_conv1x1_ignores_the_other_triangles():
    bijector = InvertibleConv1x1(3, seed=1)
    before = bijector.matrix()
    bijector.lower.assign_add(tf.linalg.band_part(tf.ones([3, 3]), 0, -1))
    bijector.upper.assign_add(tf.linalg.band_part(tf.ones([3, 3]), -1, 0))
    np.testing.assert_array_equal(bijector.matrix(), before)


def test_affine_coupling_computes_the_published_formula():
    bijector = layer("affine_coupling")
    x = random_images(2, 4, 6, 4, dtype="float64")
    shift, raw_scale = (output.numpy() for output in bijector.network(x[..., :2]))
    scale = 1.0 / (1.0 + np.exp(-(raw_scale + 2.0)))
    y, log_det = bijector.forward_and_log_det(x)
    np.testing.assert_array_equal(y[..., :2], x[..., :2])
    np.testing.assert_allclose(y[..., 2:], x[..., 2:] * scale + shift, rtol=1e-12)
    np.testing.assert_allclose(log_det, np.log(scale).sum(axis=(1, 2, 3)), rtol=1e-12)


def test_affine_coupling_stays_invertible_where_its_scale_underflows():
    """sigmoid(-60) is 9e-27: y keeps no trace of x in float32, yet nothing is NaN or infinite."""
    bijector = AffineCoupling(2, 4)
    bijector.network.layer.output_convolution.bias.assign([0.0, -60.0])
    y, log_det = bijector.forward_and_log_det(random_images(1, 4, 4, 2))
    x, inverse_log_det = bijector.inverse_and_log_det(y)
    for values in (y, log_det, x, inverse_log_det):
        assert np.all(np.isfinite(values))
    np.testing.assert_allclose(log_det, 16 * -58.0, rtol=1e-5)


def test_mix_log_cdf_coupling_computes_the_published_formula():
    bijector = layer("mix_log_cdf_coupling")
    x = random_images(2, 4, 6, 4, dtype="float64")
    scale, shift, logits, means, log_scales = (
        part.numpy() for part in bijector.network(x[..., 2:])
    )
    weights = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    sigmoids = 1.0 / (1.0 + np.exp(-(x.numpy()[..., :2, None] - means) * np.exp(-log_scales)))
    cdf = (weights * sigmoids).sum(axis=-1)
    density = (weights * np.exp(-log_scales) * sigmoids * (1.0 - sigmoids)).sum(axis=-1)
    y, log_det = bijector.forward_and_log_det(x)
    expected = (np.log(cdf) - np.log1p(-cdf) + shift) * np.exp(scale)
    np.testing.assert_allclose(y[..., :2], expected, rtol=1e-9)
    np.testing.assert_array_equal(y[..., 2:], x[..., 2:])
    log_slope = np.log(density) - np.log(cdf) - np.log1p(-cdf) + scale
    np.testing.assert_allclose(log_det, log_slope.sum(axis=(1, 2, 3)), rtol=1e-9)


@pytest.mark.parametrize("name", WITH_NETWORK)
def test_equal_seeds_give_equal_weights(name):
    first, second = LAYERS[name](), LAYERS[name]()
    for one, other in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_layers_of_the_same_arguments_are_not_equal():
    """TFP compares arguments; layers with weights of their own must not share a cache entry."""
    assert ActNorm(4) != ActNorm(4)
    first, second = ActNorm(4), ActNorm(4)
    second.bias.assign(tf.ones([4]))
    x = random_images(1, 2, 2, 4)
    first_y, second_y = tf.function(lambda x: (first.forward(x), second.forward(x)))(x)
    np.testing.assert_allclose(second_y - first_y, 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AffineCoupling(3, 8), r"`num_channels`.*even integer.*got 3"),
        (lambda: MixLogCdfCoupling(3, 8), r"`num_channels`.*even integer.*got 3"),
        (lambda: MixLogCdfCoupling(4, 6, num_heads=4), r"`num_channels`.*multiple.*num_heads=4"),
        (lambda: HalfSwap(1), r"`num_channels`.*even integer.*got 1"),
        (lambda: FlowStep(4, 8, "additive"), r"`coupling` must be one of.*'additive'"),
        (lambda: ImageChain([]), r"`bijectors` must not be empty; got \[\]"),
        (lambda: Squeeze().forward(tf.ones([1, 3, 4, 1])), r"`x`.*even height; got height 3"),
        (lambda: Squeeze().forward(tf.ones([1, 4, 5, 1])), r"`x`.*even width; got width 5"),
        (lambda: Squeeze().inverse(tf.ones([1, 4, 4, 6])), r"`y`.*multiple of 4 channels; got 6"),
        (lambda: ActNorm(4).forward(tf.ones([1, 2, 2, 3])), r"`x`.*4 channels.*2, 2, 3"),
        (lambda: Squeeze().forward_event_shape([3, 4, 1]), r"`input_shape`.*even height"),
    ],
)  # fmt: skip
def test_errors_name_argument_rule_and_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_dtypes_are_checked():
    with pytest.raises(TypeError, match="`dtype` must be a float dtype; got 'int32'"):
        ActNorm(4, dtype=tf.int32)
    with pytest.raises(TypeError, match="float32.*float64"):
        ActNorm(4).forward_and_log_det(random_images(1, 2, 2, 4, dtype="float64"))


@pytest.mark.parametrize("name", LAYERS)
def test_rank_below_three_is_refused(name):
    with pytest.raises(ValueError, match="`x`|[Rr]ank|event_ndims"):
        layer(name).forward(tf.ones([4, 4], tf.float64))

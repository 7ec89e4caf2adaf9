"""mAR-SCF in plain TensorFlow, to be read beside the paper.

Bhattacharyya et al., "Normalizing Flows with Multi-Scale Autoregressive Priors", CVPR 2020. Steps
of flow are those of Glow (Kingma and Dhariwal, 2018), of Flow++ (Ho et al., 2019), or of Residual
Flows (Chen et al., 2019).

    x -> squeeze, K x (ActNorm -> 1x1 convolution -> coupling) -> split into (r_1, l_1),
    r_1 -> level 2 -> (r_2, l_2),  ...,  r_(L-1) -> level L -> h_L = l_L

Nothing here is fast. `MarScf` computes the same in faster ways, and tests compare its values and
gradients with these. Maps are [N, H, W, C], N known, in the model's dtype. Dropout is off unless a
function is given for it, and `network_dtype` has no effect. Weights are read from the layers of a
`MarScf`, by the layers' own names, at the place where an equation needs them; nothing else of the
package is used. Everything is differentiable to maps and weights.

Example:
    >>> import tensorflow as tf, tf_marscf
    >>> model = tf_marscf.MarScf((8, 8, 1), num_levels=2, num_steps=1, hidden_channels=8)
    >>> tf_marscf.reference.log_prob(model, tf.zeros([3, 8, 8, 1])).shape
    TensorShape([3])
"""

import math

import tensorflow as tf

from tf_marscf.errors import InputError
from tf_marscf.reference_couplings import coupling, inverse_coupling
from tf_marscf.reference_networks import (
    bounded,
    causal_prior,
    convolution,
    group_regression,
    zero_convolution,
)

_EACH_MAP = [1, 2, 3]


def log_prob(model, images, label=None):
    """`log p(x) = sum_{i < L} log p(l_i | r_i) + log p(h_L) + sum of log-dets` (Section 3).

    Args:
        model: a `MarScf`.
        images: x, [N, H, W, C].
        label: y, integers [N], of a model with classes: the densities are then given y.

    Returns:
        [N], in nats.

    Raises:
        InputError: if the shape of `images` is another.
    """
    total = 0.0
    for level, latents, rest, log_det in _encode(model, images):
        prior = level.latent_prior
        if label is not None:  # l = shift_y + exp(log_scale_y) l', l' of a prior without classes.
            shift, log_scale = class_affine(prior, label)
            log_det -= tf.reduce_sum(log_scale, _EACH_MAP)
            prior, latents = prior.prior, (latents - shift) / tf.exp(log_scale)
        mean, log_scale = mean_and_log_scale(prior, latents, rest)
        total += log_density(prior, latents, mean, log_scale) + log_det
    return total


def latents(model, images):
    """The latent maps `(l_1, ..., l_(L-1), h_L)` of images; arguments and errors of `log_prob`."""
    return tuple(latents for _, latents, _, _ in _encode(model, images))


def decode(model, latents):
    """The images [N, H, W, C] of maps as from `latents`; an `InputError` if the shapes differ."""
    return _decode(model, latents, "latents", lambda prior, latents, rest: latents)


def sample(model, noise, label=None):
    """The images of Normal(0, 1) numbers in the shapes of `latents` (Algorithm 1, MARPS)."""

    def latents_of(prior, noise, rest):
        if label is None:
            return sample_prior(prior, noise, rest)
        shift, log_scale = class_affine(prior, label)
        return shift + tf.exp(log_scale) * sample_prior(prior.prior, noise, rest)

    return _decode(model, noise, "noise", latents_of)


# Levels (Section 3.1, Eq. 4).


def _encode(model, images):
    """Yields each level, its l, r (None for the last) and log-det."""
    rest = _checked(images, model, model.config.image_shape, "images")
    for level in model.levels:
        _, *steps = level.level_bijector.bijectors
        hidden, total = squeeze(rest), 0.0
        for step in steps:
            hidden, log_det = flow_step(step, hidden, model.config.coupling)
            total += log_det
        is_last = level is model.levels[-1]
        rest, latents = (None, hidden) if is_last else tf.split(hidden, 2, axis=-1)
        yield level, latents, rest, total


def _decode(model, maps, argument, latents_of):
    """The images of maps, one a level, from which `latents_of(prior, map, r)` makes latents."""
    num_levels, rest = len(model.levels), None
    if len(maps) != num_levels:
        raise InputError(f"`{argument}` must hold one map a level, {num_levels}; got {len(maps)}.")
    for index in reversed(range(num_levels)):
        level, shape = model.levels[index], model.config.latent_shape(index)
        latents = _checked(maps[index], model, shape, argument)
        latents = latents_of(level.latent_prior, latents, rest)
        hidden = latents if rest is None else tf.concat([rest, latents], axis=-1)
        _, *steps = level.level_bijector.bijectors
        for step in reversed(steps):
            hidden = inverse_flow_step(step, hidden, model.config.coupling)
        rest = unsqueeze(hidden)
    return rest


def _checked(maps, model, event_shape, argument):
    maps = tf.convert_to_tensor(maps, model.dtype)
    if maps.shape.rank != 4 or tuple(maps.shape[1:]) != event_shape:
        shape = ", ".join(map(str, event_shape))
        raise InputError(f"`{argument}` must have shape [N, {shape}]; got {maps.shape}.")
    return maps


def squeeze(x):
    """`y[i, j, 4 c + 2 a + b] = x[2 i + a, 2 j + b, c]`."""
    y = tf.stack([x[:, a::2, b::2] for a in (0, 1) for b in (0, 1)], axis=-1)
    return tf.reshape(y, [*y.shape[:3], -1])


def unsqueeze(y):
    """The inverse of `squeeze`."""
    num_images, height, width, _ = y.shape
    x = tf.transpose(tf.reshape(y, [*y.shape[:3], -1, 2, 2]), [0, 1, 4, 2, 5, 3])
    return tf.reshape(x, [num_images, 2 * height, 2 * width, -1])


# Steps of flow: ActNorm, 1x1 convolution, coupling (Glow, Section 3).


def flow_step(step, x, kind):
    """`(y, log-det)`, the coupling of a kind "affine", "mixlogcdf" or "residual"."""
    bias, log_scale = step.act_norm.bias, step.act_norm.log_scale
    matrix = conv1x1_matrix(step.invertible_conv1x1)
    x = tf.linalg.matvec(matrix, (x + bias) * tf.exp(log_scale))  # At each pixel.
    num_pixels = float(x.shape[1] * x.shape[2])
    log_det = num_pixels * (tf.reduce_sum(log_scale) + tf.linalg.slogdet(matrix)[1])
    y, coupling_log_det = coupling(step.coupling, x, kind)
    return y, log_det + coupling_log_det


def inverse_flow_step(step, y, kind):
    """The inverse of `flow_step`."""
    matrix = conv1x1_matrix(step.invertible_conv1x1)
    x = inverse_coupling(step.coupling, y, kind)
    x = tf.linalg.matvec(tf.linalg.inv(matrix), x)
    return x / tf.exp(step.act_norm.log_scale) - step.act_norm.bias


def conv1x1_matrix(layer):
    """`W = P (tril(L, -1) + I) (triu(U, 1) + diag(sign_s exp(log_s)))`, [C, C]."""
    diagonal = layer.sign_s * tf.exp(layer.log_s)
    lower = tf.linalg.set_diag(tf.linalg.band_part(layer.lower, -1, 0), tf.ones_like(diagonal))
    upper = tf.linalg.set_diag(tf.linalg.band_part(layer.upper, 0, -1), diagonal)
    return layer.permutation @ lower @ upper


# The multi-scale autoregressive prior (Section 3.2, Eq. 6-8), or Glow's.


def mean_and_log_scale(prior, latents, rest):
    """Of l given r, a prior's; those of channel j depend on the channels before it only."""
    if hasattr(prior, "mean_and_log_scale"):
        mean, log_scale = even_and_odd(tf.convert_to_tensor(prior.mean_and_log_scale))
    elif hasattr(prior.network.layer, "conv_lstm"):
        mean, log_scale = mar_prior(prior.network.layer, latents, rest)
    elif hasattr(prior.network.layer, "convolutions"):
        mean, log_scale = causal_prior(prior.network.layer, latents, rest)
    else:
        mean, log_scale = even_and_odd(zero_convolution(prior.network.layer, rest))
    return mean, bounded(log_scale, prior.max_log_scale)


def even_and_odd(outputs):
    """The even and the odd channels."""
    return outputs[..., 0::2], outputs[..., 1::2]


def sample_prior(prior, noise, rest):
    """`l^j = mean_j + exp(log_scale_j) * noise^j`, one channel j after another.

    Of a logistic prior, the logits of Normal noise's probabilities are in the noise's place.
    """
    if prior.family == "logistic":
        below, above = (tf.math.erfc(-sign * noise / math.sqrt(2.0)) for sign in (1, -1))
        noise = tf.math.log(below / above) * math.sqrt(3.0) / math.pi
    latents, channels = tf.zeros_like(noise), tf.range(noise.shape[-1])
    for j in range(noise.shape[-1]):
        mean, log_scale = mean_and_log_scale(prior, latents, rest)
        latents = tf.where(channels == j, mean + tf.exp(log_scale) * noise, latents)
    return latents


def mar_prior(network, latents, rest):
    """Step j: `conv(ConvLSTM(x_1 ... x_j))`, `x_j = conv(concat(l^(j-1), code of r))`.

    A step is one channel, as published, or a group of them. With a Gaussian start, Glow's prior is
    added.
    """
    steps = tf.split(latents, latents.shape[-1] // network.channels_per_step, axis=-1)
    code = []
    if rest is not None:
        first, second = network.code_convolutions
        hidden = tf.nn.relu(convolution(rest, first.kernel, first.bias))
        code = [convolution(hidden, second.kernel, second.bias)]
    inputs = [
        convolution(tf.concat([before, *code], axis=-1), network.input_kernel, network.input_bias)
        for before in [tf.zeros_like(steps[0]), *steps[:-1]]
    ]
    outputs = [
        tf.split(convolution(hidden, network.output_kernel, network.output_bias), 2, axis=-1)
        for hidden in conv_lstm(network.conv_lstm, inputs)
    ]
    mean, log_scale = (tf.concat(parts, axis=-1) for parts in zip(*outputs, strict=True))
    if network.gaussian_start is not None:
        start = glow_prior(network.gaussian_start, rest)
        mean, log_scale = mean + start[..., 0::2], log_scale + start[..., 1::2]
    return mean + group_regression(network, latents), log_scale


def glow_prior(network, rest):
    """Even channels are means, odd ones log-scales: of r, or learned where there is none."""
    if rest is None:
        return tf.convert_to_tensor(network.mean_and_log_scale)
    return zero_convolution(network.convolution, rest)


def conv_lstm(network, sequence):
    """The last layer's h_t for each x_t.

    (i, f, g, o) = conv(x_t) + conv(h_(t-1)) + bias,     h_0 = c_0 = 0
    c_t = sigmoid(f) c_(t-1) + sigmoid(i) tanh(g),       h_t = sigmoid(o) tanh(c_t)
    """
    weights = zip(network.input_kernels, network.recurrent_kernels, network.biases, strict=True)
    for input_kernel, recurrent_kernel, bias in weights:
        h = c = tf.zeros_like(sequence[0])
        hiddens = []
        for x in sequence:
            gates = convolution(x, input_kernel, bias, network.dilation)
            gates += convolution(h, recurrent_kernel, dilation=network.dilation)
            i, f, g, o = tf.split(gates, 4, axis=-1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            hiddens.append(h)
        sequence = hiddens
    return sequence


def class_affine(prior, label):
    """Shift and log-scale of class y of each image, [N, H, W, C]."""
    return [
        tf.stack([tf.unstack(table)[int(y)] for y in label])
        for table in (prior.shift, prior.log_scale)
    ]


def log_density(prior, latents, mean, log_scale):
    """`sum of log p(l; mean, exp(log_scale))` over each map, of the prior's family, in nats."""
    if prior.family == "normal":
        return normal_log_density(latents, mean, log_scale)
    # The density of a logistic distribution is the derivative of a sigmoid; its variance pi^2 / 3.
    rate = math.pi / math.sqrt(3.0) * tf.exp(-log_scale)
    x = rate * (latents - mean)
    log_density = tf.math.log_sigmoid(x) + tf.math.log_sigmoid(-x) + tf.math.log(rate)
    return tf.reduce_sum(log_density, _EACH_MAP)


def normal_log_density(x, mean, log_scale):
    """`sum of log Normal(x; mean, exp(log_scale))` over each map, in nats."""
    log_density = -0.5 * ((x - mean) / tf.exp(log_scale)) ** 2 - log_scale
    return tf.reduce_sum(log_density - 0.5 * math.log(2.0 * math.pi), _EACH_MAP)

"""Variational dequantization in plain TensorFlow, to be read beside Flow++ (Ho et al., 2019).

    epsilon ~ Normal(0, 1)^D, u = Phi(flow(epsilon; k)) in (0, 1)^D, x = (k + u) / n - 1/2
    log P(k) >= E[log p(x) - log q(u | k)] - D log n      (Section 3.1)

As in `reference.py`, nothing is fast, and weights are read from the layers of a
`VariationalDequantizer`. Maps are [N, H, W, C], N known.
"""

import math

import tensorflow as tf

from tf_marscf import reference
from tf_marscf.reference_networks import affine_network

_EACH_MAP = [1, 2, 3]


def log_prob(images_distribution, pixels, noise):
    """The bound of one draw, of the default scaling.

    Args:
        images_distribution: a `Dequantized` of a `MarScf`, with a dequantizer.
        pixels: k, uint8.
        noise: epsilon.

    Returns:
        [N], in nats.
    """
    num_grey_levels = images_distribution.num_grey_levels
    u, log_q = transform_noise(images_distribution.dequantizer, pixels, noise)
    x = (tf.cast(pixels, u.dtype) + u) / num_grey_levels - 0.5
    log_p = reference.log_prob(images_distribution.distribution, x)
    return log_p - log_q - x.shape[1:].num_elements() * math.log(num_grey_levels)


def transform_noise(dequantizer, pixels, noise):
    """`(u, log q(u | k))`, `log q = log Normal(epsilon) - log-det - sum of log Phi'(v)`.

    u is not kept away from 0 and 1.
    """
    condition = (tf.cast(pixels, noise.dtype) + 0.5) / dequantizer.num_grey_levels * 2.0 - 1.0
    condition = reference.squeeze(condition)
    _, *steps = dequantizer.flow.bijectors
    hidden, log_q = reference.squeeze(noise), _standard_normal_log_density(noise)
    for step in steps:
        hidden, log_det = conditional_flow_step(step, hidden, condition)
        log_q -= log_det
    v = reference.unsqueeze(hidden)
    u = 0.5 * (1.0 + tf.math.erf(v / math.sqrt(2.0)))
    return u, log_q - _standard_normal_log_density(v)


def conditional_flow_step(step, h, condition):
    """`(y, log-det)`: ActNorm, 1x1 convolution, then `y = concat(z_1, z_2 s + shift)`.

    z_1 and z_2 are halves, (shift, raw) = network(concat(z_1, c)), log s = 2 tanh(raw / 2).
    """
    bias, act_norm_log_scale = step.act_norm.bias, step.act_norm.log_scale
    matrix = reference.conv1x1_matrix(step.invertible_conv1x1)
    h = tf.linalg.matvec(matrix, (h + bias) * tf.exp(act_norm_log_scale))
    log_det = float(h.shape[1] * h.shape[2]) * (
        tf.reduce_sum(act_norm_log_scale) + tf.linalg.slogdet(matrix)[1]
    )
    z1, z2 = tf.split(h, 2, axis=-1)
    shift, raw = affine_network(step.network.layer, tf.concat([z1, condition], axis=-1))
    log_scale = 2.0 * tf.tanh(raw / 2.0)
    y = tf.concat([z1, z2 * tf.exp(log_scale) + shift], axis=-1)
    return y, log_det + tf.reduce_sum(log_scale, _EACH_MAP)


def _standard_normal_log_density(maps):
    return reference.normal_log_density(maps, tf.zeros_like(maps), tf.zeros_like(maps))

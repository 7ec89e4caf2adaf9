"""Networks of couplings and of causal priors in plain TensorFlow: what `reference.py` calls.

Those of affine couplings are Glow's (Kingma and Dhariwal, 2018), those of MixLogCDF couplings
Flow++'s (Ho et al., 2019), those of residual blocks of Residual Flows (Chen et al., 2019). Maps are
[N, H, W, C], N known. Weights are read from the layers of a model; nothing that the package
computes with them is used. Dropout is off unless a function is given for it.
"""

import math
import types

import numpy as np
import tensorflow as tf


def affine_network(network, z):
    """`(shift, raw)`: the even and the odd channels."""
    for conv, norm in zip(network.convolutions, network.act_norms, strict=True):
        z = tf.nn.relu((convolution(z, conv.kernel) + norm.bias) * tf.exp(norm.log_scale))
    outputs = zero_convolution(network.output_convolution, z)
    return outputs[..., 0::2], outputs[..., 1::2]


def bounded(log_scale, bound):
    """`M tanh(log_scale / M)`, M the bound; without one the log-scale itself."""
    return log_scale if bound is None else bound * tf.tanh(log_scale / bound)


def causal_prior(network, latents, rest):
    """Step j: `conv(concat(r, l^1 ... l^(j-1), f_1 ... f_j))`, f_j its features.

    Those of each layer, if there are any, are `relu(conv(maps))`, of `concat(r, l^1 ... l^(j-1))`
    first, then of `concat(f_1 ... f_j)` of the layer before. What must not be known is zero. With
    kernels of 1, `conv3x3(r)` is added.
    """
    num_channels, outputs = latents.shape[-1], []
    step_of_channel = np.arange(num_channels) // network.channels_per_step
    num_steps = step_of_channel[-1] + 1
    step_of_feature = np.repeat(np.arange(num_steps), network.hidden_channels)
    features = [0.0] * len(network.convolutions)
    for j in range(num_steps):
        known = tf.where(step_of_channel < j, latents, 0.0)
        maps = inputs = [known] if rest is None else [rest, known]
        for index, layer in enumerate(network.convolutions):
            maps = tf.concat(maps, axis=-1)
            computed = tf.nn.relu(convolution(maps, layer.kernel, layer.bias, network.dilation))
            features[index] = tf.where(step_of_feature == j, computed, features[index])
            maps = [features[index]]
        maps = tf.concat([*inputs, *features[-1:]], axis=-1)
        output = zero_convolution(network.output_convolution, maps)
        own = tf.boolean_mask(output, np.tile(step_of_channel == j, 2), axis=3)
        outputs.append(tf.split(own, 2, axis=-1))
    mean, log_scale = (tf.concat(parts, axis=-1) for parts in zip(*outputs, strict=True))
    if network.conditional_convolution is not None:
        of_rest = tf.split(zero_convolution(network.conditional_convolution, rest), 2, axis=-1)
        mean, log_scale = mean + of_rest[0], log_scale + of_rest[1]
    return mean + group_regression(network, latents), log_scale


def group_regression(network, latents):
    """`sum_{k < j} A_jk l^k` over the channels of a step, where it has several."""
    if network.channels_per_step == 1:
        return 0.0
    matrices = tf.convert_to_tensor(network.group_regression.weight)
    matrices = tf.linalg.set_diag(
        tf.linalg.band_part(matrices, -1, 0), tf.zeros(matrices.shape[:2], matrices.dtype)
    )
    groups = tf.reshape(latents, [*latents.shape[:3], *matrices.shape[:2]])
    return tf.reshape(tf.linalg.matvec(matrices, groups), latents.shape)


def mix_log_cdf_network(network, z):
    """Convolution, gated blocks, convolution; `mixture_parameters` of that."""
    first, last = network.input_convolution, network.output_convolution
    num_heads = network.blocks.template.attention.num_heads
    x = convolution(z, weight_norm(first), first.bias)
    for conv, conv_gate, projection, gate, *norms in _blocks(network):
        x = layer_norm(x + gated_convolution(conv, conv_gate, x), norms[0].gamma, norms[0].beta)
        attended = gated_attention(projection, gate, x, num_heads)
        x = layer_norm(x + attended, norms[1].gamma, norms[1].beta)
    return mixture_parameters(convolution(x, weight_norm(last), last.bias), network.rescale)


def _blocks(network):
    """The parts of each gated block, with its entries of the stacked weights."""
    stacks = {stack.name: tf.convert_to_tensor(stack) for stack in network.blocks.stacked_weights}
    parts = "convolution_convolution", "convolution_gate", "attention_projection", "attention_gate"
    parts += "norm_0", "norm_1"

    def part_of(index, part):
        names = [name.removeprefix(f"{part}_") for name in stacks if name.startswith(part)]
        return types.SimpleNamespace(**{name: stacks[f"{part}_{name}"][index] for name in names})

    return [[part_of(n, part) for part in parts] for n in range(network.blocks.num_layers)]


def mixture_parameters(outputs, rescale):
    """`(a, b, logits, means, log_scales)`: [..., c] twice, then [..., c, M] thrice.

    Outputs are c of each parameter, one parameter after another: [..., (2 + 3 M) c].
    """
    outputs = tf.reshape(outputs, [*outputs.shape[:-1], -1, rescale.shape[0]])
    a, b = rescale * tf.tanh(outputs[..., 0, :]), outputs[..., 1, :]
    mixture = tf.linalg.matrix_transpose(outputs[..., 2:, :])
    logits, means, log_scales = tf.split(mixture, 3, axis=-1)
    return a, b, logits, means, tf.maximum(log_scales, tf.cast(-7.0, log_scales.dtype))


def gated_convolution(conv, gate, x, dropout=tf.identity):
    """Gate of conv 1x1(dropout(concat-ELU(conv 3x3(concat-ELU(x)))))."""
    x = concat_elu(convolution(concat_elu(x), weight_norm(conv), conv.bias))
    return gated(convolution(dropout(x), weight_norm(gate), gate.bias))


def gated_attention(projection, gate, x, num_heads, dropout=tf.identity):
    """Gate of a linear map of the heads of self-attention, all pixels being positions."""
    num_images, height, width, channels = x.shape
    sequence = tf.reshape(x, [num_images, height * width, channels])
    sequence += tf.constant(position_codes(height * width, channels), x.dtype)
    key, value, query = (
        tf.stack(tf.split(part, num_heads, axis=-1), axis=1)  # [N, heads, H W, C / heads]
        for part in tf.split(sequence @ weight_norm(projection), 3, axis=-1)
    )
    attended = tf.concat(tf.unstack(attention(query, key, value, dropout), axis=1), axis=-1)
    return tf.reshape(gated(attended @ weight_norm(gate) + gate.bias), x.shape)


def attention(query, key, value, dropout=tf.identity):
    """`softmax(Q K^T / sqrt(C)) V`, each [..., T, C]."""
    logits = tf.matmul(query, key, transpose_b=True) / math.sqrt(query.shape[-1])
    return dropout(tf.nn.softmax(logits)) @ value


def position_codes(length, channels):
    """Sines, then cosines, of position / timescale, timescales from 1 to 1e4: [length, C]."""
    angles = np.arange(length)[:, np.newaxis] / np.geomspace(1.0, 1e4, channels // 2)
    codes = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    return np.pad(codes, [[0, 0], [0, channels % 2]])


def residual_network(network, x):
    """`(g(x), J)`: thrice `conv(x sigmoid(softplus(b) x) / 1.1)`, and all its derivatives.

    No kernel lengthens maps by more than c^(1/3). J is [N, D, D], D = H W C: J[n, i, j] is that of
    output j to input i, a product of what each LipSwish and each convolution, as a matrix, does.
    """
    limit = network.coefficient ** (1.0 / len(network.weights))
    sharpness = tf.unstack(tf.nn.softplus(network.sharpness))
    jacobian = tf.eye(x.shape[1:].num_elements(), batch_shape=x.shape[:1], dtype=x.dtype)
    for weights, bias, beta in zip(network.weights, network.biases, sharpness, strict=True):
        kernel = weights * tf.minimum(1.0, limit / spectral_norm_bound(weights))
        gate = tf.sigmoid(beta * x)
        slope = (gate + beta * x * gate * (1.0 - gate)) / 1.1
        size = x.shape[1:].num_elements()
        units = tf.reshape(tf.eye(size, dtype=x.dtype), [size, *x.shape[1:]])
        matrix = tf.reshape(convolution(units, kernel), [size, -1])
        jacobian = (jacobian * tf.reshape(slope, [-1, 1, size])) @ matrix
        x = convolution(x * gate / 1.1, kernel, bias)
    return x, jacobian


def spectral_norm_bound(kernel, num_frequencies=12, exponent=128):
    """`max_w (sum_i s_i(w)^128)^(1/128) / cos(pi d / 12)^2`, s(w) the singular values at w.

    Of the sum of the taps p times exp(i <w, p>), at 12 x 12 frequencies w; d is the degree in w.
    """
    size = kernel.shape[0]
    taps, angles = (
        np.arange(size) - size // 2,
        2.0 * math.pi / num_frequencies * np.arange(num_frequencies),
    )
    waves = tf.constant(np.exp(1j * np.outer(angles, taps)))
    complex_kernel = tf.cast(kernel, waves.dtype)
    symbols = tf.einsum("ap,bq,pqcd->abcd", waves, waves, complex_kernel)
    squares = tf.math.real(tf.linalg.eigvalsh(tf.matmul(symbols, symbols, adjoint_a=True)))
    powers = tf.reduce_sum(squares ** (exponent // 2), axis=-1)
    bound = tf.reduce_max(powers ** (1.0 / exponent))
    bound /= math.cos(math.pi * (size // 2) / num_frequencies) ** 2
    return tf.cast(bound, kernel.dtype)


def convolution(x, kernel, bias=0.0, dilation=1):
    """The k * k neighbours of each pixel, zeros outside of the map, times [k, k, C_in, C_out]."""
    kernel = tf.convert_to_tensor(kernel)
    sizes, rates = [1, *kernel.shape[:2], 1], [1, dilation, dilation, 1]
    neighbours = tf.image.extract_patches(x, sizes, [1, 1, 1, 1], rates, "SAME")
    return neighbours @ tf.reshape(kernel, [-1, kernel.shape[-1]]) + bias


def zero_convolution(layer, x):
    """`(conv(x) + bias) * exp(3 log_scale)`: its weights start as zeros."""
    return convolution(x, layer.kernel, layer.bias) * tf.exp(3.0 * layer.log_scale)


def weight_norm(layer):
    """`gain * direction / |direction|`, a norm for each output (Salimans and Kingma, 2016)."""
    direction = tf.convert_to_tensor(layer.direction)
    axes = list(range(direction.shape.rank - 1))
    return layer.gain * direction / tf.sqrt(tf.reduce_sum(direction**2, axis=axes))


def layer_norm(x, gamma, beta, epsilon=1e-5):
    """`gamma (x - mean) / sqrt(variance + epsilon) + beta`, over channels (Ba et al., 2016)."""
    mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
    return gamma * (x - mean) / tf.sqrt(variance + epsilon) + beta


def concat_elu(x):
    """The ELUs of x and of -x, along the channels."""
    return tf.nn.elu(tf.concat([x, -x], axis=-1))


def gated(outputs):
    """`p * sigmoid(q)`, p and q the halves of the channels."""
    p, q = tf.split(outputs, 2, axis=-1)
    return p * tf.sigmoid(q)

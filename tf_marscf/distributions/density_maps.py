"""Where in an image its bits/dim come from."""

import math

import tensorflow as tf

from tf_marscf.distributions.image_distribution import check_value
from tf_marscf.distributions.labels import checked_label
from tf_marscf.errors import InputError
from tf_marscf.stateless_seed import checked_seed, split_seed, stateless_seed


def bits_per_dim_maps(images_distribution, pixels, seed=None, label=None):
    """Splits the bits/dim of images into parts of single pixels, and those by level.

    The log-density of a flow is no sum over pixels, but its terms are sums over the positions of
    smaller maps. With h_i = f_i(r_(i-1)) = concat(r_i, l_i), of [H / 2^i, W / 2^i] positions q, the
    terms of level i at q are, in nats,

        prior_i(q)   = sum over channels c of log p(l_i[q, c] | channels before, r_i)
        log_det_i(q) = sum over couplings and channels c of log df/dx at [q, c]
                       + sum over steps of log|det| of ActNorm and 1x1 convolution, for one position

    The latter is the same everywhere; so is the log-det of a residual block, which has no such sum,
    divided by the number of positions. Position q stands for the 4^i pixels of its square, which
    get equal parts. With p a pixel, q_i(p) its position at level i, D = H W C values an image and n
    grey levels,

        m_i(p) = -4^-i (prior_i(q_i(p)) + log_det_i(q_i(p))) / (D log 2)       for each level i
        m_0(p) = (C log n + log q(p)) / (D log 2)

    where log q(p) is that of learned noise (`VariationalDequantizer`), and 0 of uniform noise. All
    parts together are bits/dim of one draw of noise, for every image:

        sum over p of m_0(p) + m_1(p) + ... + m_L(p) = -log P(k) / (D log 2)

    So H W times m_0(p) + ... + m_L(p) is the bits/dim at pixel p: its mean over the pixels is that
    of the image. The part of level i is the same in all pixels of a square of 2^i x 2^i, within
    which it tells nothing apart.

    Args:
        images_distribution: a `Dequantized` of a `MarScf`.
        pixels: k, uint8 [N, H, W, C].
        seed: PRNG seed of the noise; the draw is that of `Dequantized.bits_per_dim`.
        label: of a model with classes, those of the images, as of `MarScf.log_prob`.

    Returns:
        [L + 1, N, H, W]: m_0, m_1, ... m_L.

    Raises:
        InputError: if `pixels` is no batch.
    """
    pixels = check_value(images_distribution, pixels, "pixels")
    if pixels.shape.rank != 4:
        raise InputError(
            f"`pixels` must be a batch, [N, height, width, channels]; got {pixels.shape}."
        )
    (draw_seed,) = split_seed(stateless_seed(checked_seed(seed)), 1)
    noise = images_distribution.noise(pixels, draw_seed)
    scaling, model = images_distribution.scaling, images_distribution.distribution
    height, width, num_channels = images_distribution.event_shape
    of_noise = tf.fill(
        tf.shape(pixels)[:3],
        tf.constant(num_channels * math.log(scaling.num_grey_levels), model.dtype),
    )
    if images_distribution.dequantizer is not None:
        noise, log_noise_prob = images_distribution.dequantizer.transform_noise_with_map(
            noise, pixels
        )
        of_noise += log_noise_prob
    levels = _log_prob_maps(model, scaling.continuous(pixels, noise), label)
    of_levels = [-spread_over_pixels(maps, (height, width)) for maps in levels]
    return tf.stack([of_noise, *of_levels]) / (images_distribution.num_dimensions * math.log(2.0))


def spread_over_pixels(maps, size):
    """Shares each number of maps out evenly among the pixels of its square, [N, *size]."""
    factors = [pixels // positions for pixels, positions in zip(size, maps.shape[1:], strict=True)]
    for axis, factor in enumerate(factors, start=1):
        maps = tf.repeat(maps, factor, axis=axis)
    return maps / math.prod(factors)


def _log_prob_maps(model, images, label):
    """prior_i + log_det_i of all levels, [N, H / 2^i, W / 2^i] each."""
    label = checked_label(label, model.num_classes, model.name, images.shape[:1])
    of_class = {} if label is None else {"label": label}
    rest, maps = images, []
    for level in model.levels:
        hidden, log_det_map = level.level_bijector.forward_and_log_det_map(rest)
        rest, latents = (None, hidden) if level.is_last else tf.split(hidden, 2, axis=-1)
        prior_map = level.latent_prior.log_prob_map(latents, conditional_input=rest, **of_class)
        maps.append(prior_map + log_det_map)
    return maps

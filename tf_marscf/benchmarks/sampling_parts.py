"""The priors and the flow of a sample as tasks of their own, to be timed beside the whole.

From the last level to the first, with r_L none and r_0 = x:

    l_i = latents of (noise_i | r_i)                    the priors, at r_i that are fixed
    r_(i-1) = f_i^-1(concat(r_i, l_i))                  the flow, at l_i that are fixed

The priors are the loops over channels, the flow are the inverse couplings. Neither draws the noise.
"""

import functools

import tensorflow as tf

from tf_marscf.benchmarks.measurement import waiting_task
from tf_marscf.benchmarks.speed_parts import flow_of_levels

SAMPLING_PARTS = ("prior", "flow")
_NOISE_SEED = 0


def sampling_part_tasks(model, num_images):
    """A dict from each of `SAMPLING_PARTS` to a `waiting_task`, for samples of a `MarScf`."""
    noise, latents, rests = fixed_maps(model, num_images)
    tasks = {
        "prior": lambda: _as_vectors(prior_latents(model, noise, rests)),
        "flow": lambda: model.decode(latents),
    }
    return {name: waiting_task(tasks[name]) for name in SAMPLING_PARTS}


def fixed_maps(model, num_images):
    """Noise and l_i of all levels, and r_i of all but the last, lists of maps of one batch."""

    @functools.partial(tf.function, autograph=False)
    def maps():
        noise = [
            level.latent_prior.noise([num_images], [_NOISE_SEED, index])
            for index, level in enumerate(model.levels)
        ]
        latents, rests, _ = flow_of_levels(model, model.decode_noise(noise))
        return noise, latents, rests

    # Traced by hand: TensorFlow warns of calls that trace one place of a program often.
    return maps.get_concrete_function()()


def prior_latents(model, noise, rests):
    """The latents of all levels from noise and r_i; no level begins before the one after it ends.

    Without that order TensorFlow would compute several levels at once, which no sample can.
    """
    latents = []
    for level, one, rest in reversed(list(zip(model.levels, noise, [*rests, None], strict=True))):
        with tf.control_dependencies(latents[:1]):
            one, rest = tf.identity(one), None if rest is None else tf.identity(rest)
        latents.insert(0, level.latent_prior.latents_from_noise(one, rest))
    return latents


def _as_vectors(maps):
    """Maps of all levels side by side, as many numbers as the images have, [N, H W C]."""
    return tf.concat([tf.reshape(one, [one.shape[0], -1]) for one in maps], axis=1)

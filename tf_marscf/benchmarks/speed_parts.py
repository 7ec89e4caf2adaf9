"""The flow and the priors of a model as tasks of their own, to be timed beside the whole.

    log p(x) = sum_i log p(l_i | r_i) + sum_i log|det df_i/dr_(i-1)|      in nats

The flow is the second sum and the latents; the priors are the first sum, at latents that are fixed.
A gradient is that of a training step: of all weights of the part, and of what the one hands to the
other. Neither has the optimizer, nor the dequantization noise.
"""

import tensorflow as tf

from tf_marscf.benchmarks.measurement import waiting_task

PART_TASKS = ("flow_log_prob", "prior_log_prob", "flow_gradient", "prior_gradient")
DROPOUT_SEED = (0, 1)


def part_tasks(model, images, jit_compile=False, **of_class):
    """A dict from each of `PART_TASKS` to a `waiting_task`, for a `MarScf` and images.

    `jit_compile` is whether XLA compiles them. Of a model with classes, there is their `label`,
    too.
    """
    latents, rests, _ = tf.function(lambda: flow_of_levels(model, images), autograph=False)()
    levels = model.levels
    bijectors = [level.level_bijector for level in levels]
    flow_variables = [weight for part in bijectors for weight in part.trainable_variables]
    prior_variables = [
        weight for level in levels for weight in level.latent_prior.trainable_variables
    ]

    def flow_gradient():
        with tf.GradientTape() as tape:
            maps, _, log_det = flow_of_levels(model, images, tf.constant(DROPOUT_SEED))
            # In the place of what a prior hands on: the gradient of a standard-normal one.
            value = tf.reduce_sum(log_det)
            value -= tf.add_n([tf.reduce_sum(one * tf.stop_gradient(one)) for one in maps])
        return sum_of_gradients(tape.gradient(value, flow_variables))

    def prior_gradient():
        inputs = [*latents, *rests]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = tf.reduce_sum(_prior(model, latents, rests, **of_class))
        return sum_of_gradients(tape.gradient(value, [*prior_variables, *inputs]))

    tasks = {
        "flow_log_prob": lambda: _of_flow(flow_of_levels(model, images)),
        "prior_log_prob": lambda: _prior(model, latents, rests, **of_class),
        "flow_gradient": flow_gradient,
        "prior_gradient": prior_gradient,
    }
    return {name: waiting_task(tasks[name], jit_compile) for name in PART_TASKS}


def flow_of_levels(model, images, dropout_seed=None):
    """Latents l_i of all levels, r_i of all but the last, and the sum of log-dets [N]."""
    rest, latents, rests, log_dets = images, [], [], []
    for level in model.levels:
        hidden, log_det = level.level_bijector.forward_and_log_det(rest, dropout_seed)
        log_dets.append(log_det)
        if level.is_last:
            return [*latents, hidden], rests, tf.add_n(log_dets)
        rest, one = tf.split(hidden, 2, axis=-1)
        latents.append(one)
        rests.append(rest)


def _prior(model, latents, rests, **of_class):
    """The sum of log p(l_i | r_i) over all levels, [N]."""
    return tf.add_n(
        [
            level.latent_prior.log_prob(one, conditional_input=rest, **of_class)
            for level, one, rest in zip(model.levels, latents, [*rests, None], strict=True)
        ]
    )


def _of_flow(parts):
    """A number an image that depends on all that a flow computes, so that all of it is run."""
    latents, _, log_det = parts
    return log_det + tf.add_n([tf.reduce_mean(one, axis=[1, 2, 3]) for one in latents])


def sum_of_gradients(gradients):
    """One number that depends on all gradients."""
    return tf.add_n([tf.reduce_sum(one) for one in gradients if one is not None])

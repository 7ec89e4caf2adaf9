"""One step of gradient descent on bits/dim, for whatever density."""

import math

import tensorflow as tf

from tf_marscf.distributions.bits_per_dim import bits_per_dim
from tf_marscf.kernels.compiled_by_xla import whole_by_xla
from tf_marscf.stateless_seed import split_seed


def step_seeds(seed, step):
    """`(noise_seed, dropout_seed)` of a step, a function of the seed and the step's number."""
    return split_seed(tf.stack([seed, tf.cast(step, tf.int32)]), 2)


def density_step(
    log_prob_terms,
    batch,
    dropout_seed,
    variables,
    optimizer,
    *,
    num_grey_levels,
    clip_norm,
    num_accumulated_parts=1,
    jit_compile=False,
):
    """One step; inside a replica of `tf.distribute` with this replica's part of a batch.

        loss = log2(n) - mean_x sum_t term_t(x) / (D log 2),   log p(x) = sum_t term_t(x)
        gradients * min(1, clip_norm / |gradients|) -> the optimizer

    A loss or gradient that is not finite raises `InvalidArgumentError` before any weight changes.

    Args:
        log_prob_terms: function of a batch and a seed of dropout; a list of terms [N] in nats,
            which add up to log p.
        batch: continuous images [N, H, W, C]; or a tuple whose first entry has this shape, such as
            noise and grey levels, all of N entries.
        dropout_seed: [2] integer tensor.
        variables: the `tf.Variable`s to train.
        optimizer: a Keras optimizer that is built for them.
        num_grey_levels: n.
        clip_norm: greatest norm of the gradient of bits/dim.
        num_accumulated_parts: equal parts of the batch, one after another.
        jit_compile: whether XLA compiles the terms and their gradients: all of a step but what
            devices tell each other, the checks, which it would drop, and the optimizer.

    Returns:
        A vector: loss, norm of its gradient before it is clipped, and the terms, in bits/dim.
    """

    def gradients_of_batch():
        return _gradients(log_prob_terms, batch, dropout_seed, variables, num_accumulated_parts)

    gradients, terms = whole_by_xla(gradients_of_batch, jit_compile)()
    context = tf.distribute.get_replica_context()
    num_replicas = context.num_replicas_in_sync
    if num_replicas > 1:
        *gradients, terms = context.all_reduce(tf.distribute.ReduceOp.SUM, [*gradients, terms])
    loss = tf.reduce_sum(terms) + math.log2(num_grey_levels)
    norm = tf.linalg.global_norm(gradients)
    checks = [
        tf.debugging.check_numerics(loss, "The loss is not finite"),
        tf.debugging.check_numerics(norm, "The gradient is not finite"),
    ]
    with tf.control_dependencies(checks):
        apply_gradients, factor = optimizer.apply_gradients, clip_norm / tf.maximum(norm, clip_norm)
        if hasattr(optimizer, "apply_summed_gradients"):
            apply_gradients = optimizer.apply_summed_gradients
        else:
            # Keras adds up the replicas' gradients, which are all the same by now.
            factor /= num_replicas
        gradients = [gradient * factor for gradient in gradients]
        apply_gradients(zip(gradients, variables, strict=True))
    return tf.concat([[loss, norm], terms], axis=0)


def _gradients(log_prob_terms, batch, dropout_seed, variables, num_parts):
    """This replica's share of the gradients of bits/dim, and of its terms, a vector.

    Over all replicas, both add up to those of the global batch.
    """
    if num_parts == 1:
        return _gradients_of_part(log_prob_terms, batch, dropout_seed, variables, num_parts)
    parts = tf.nest.map_structure(
        lambda values: tf.reshape(values, [num_parts, -1, *values.shape[1:]]), batch
    )
    seeds = tf.stack(split_seed(dropout_seed, num_parts))

    def gradients_of_part(index):
        part = tf.nest.map_structure(lambda values: values[index], parts)
        return _gradients_of_part(log_prob_terms, part, seeds[index], variables, num_parts)

    def add_part(index, sums):
        return index + 1, tf.nest.map_structure(tf.add, sums, gradients_of_part(index))

    return tf.while_loop(
        lambda index, sums: index < num_parts, add_part, (tf.constant(1), gradients_of_part(0))
    )[1]


def _gradients_of_part(log_prob_terms, batch, dropout_seed, variables, num_parts):
    images, *_ = tf.nest.flatten(batch)
    num_replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    num_images = tf.shape(images)[0] * (num_replicas * num_parts)
    with tf.GradientTape() as tape:
        sums = tf.stack([tf.reduce_sum(term) for term in log_prob_terms(batch, dropout_seed)])
        terms = bits_per_dim(sums, images.shape[1:].num_elements())
        terms /= tf.cast(num_images, terms.dtype)
        loss = tf.reduce_sum(terms)
    # In eager steps, weights of a prior that rests are not connected.
    gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
    return gradients, terms

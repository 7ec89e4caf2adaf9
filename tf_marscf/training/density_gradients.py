"""Gradients of bits/dim, of a batch or of its parts one after another."""

import math

import tensorflow as tf

from tf_marscf.stateless_seed import split_seed


def density_gradients(images_distribution, images, dropout_seed, variables, num_parts=1):
    """This replica's share of the gradients of bits/dim, and of its terms.

    Args:
        images_distribution: a `Dequantized` around a `MarScf`.
        images: continuous images [N, H, W, C].
        dropout_seed: [2] integer tensor.
        variables: the `tf.Variable`s to differentiate by.
        num_parts: the batch is worked off in this many equal parts, which divides N.

    Returns:
        `(gradients, terms)`: one tensor a variable, and one vector of the terms of
        `log_prob_parts`, in bits/dim; over all replicas, both add up to those of the global batch.
    """
    if num_parts == 1:
        return _gradients_of_part(images_distribution, images, dropout_seed, variables, 1)
    parts = tf.reshape(images, [num_parts, -1, *images.shape[1:]])
    seeds = tf.stack(split_seed(dropout_seed, num_parts))

    def gradients_of_part(index):
        return _gradients_of_part(
            images_distribution, parts[index], seeds[index], variables, num_parts
        )

    def add_part(index, sums):
        return index + 1, tf.nest.map_structure(tf.add, sums, gradients_of_part(index))

    return tf.while_loop(
        lambda index, sums: index < num_parts, add_part, (tf.constant(1), gradients_of_part(0))
    )[1]


def _gradients_of_part(images_distribution, images, dropout_seed, variables, num_parts):
    num_replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    num_images = tf.shape(images)[0] * (num_replicas * num_parts)
    unit = -1.0 / (images_distribution.num_dimensions * math.log(2.0))
    with tf.GradientTape() as tape:
        log_priors, log_dets = images_distribution.distribution.log_prob_parts(images, dropout_seed)
        terms = tf.stack([tf.reduce_sum(term) for term in (*log_priors, *log_dets)])
        terms *= unit / tf.cast(num_images, terms.dtype)
        loss = tf.reduce_sum(terms)
    return tape.gradient(loss, variables), terms

"""The Keras model around the distribution."""

import math

import keras
import tensorflow as tf

from tf_marscf.stateless_seed import split_seed

# Evaluation noise is the same in every epoch, so that its figures can be compared.
_EVALUATION_SEED = 20200620


class DensityTrainer(keras.Model):
    """Trains a `Dequantized` distribution by gradient descent on bits/dim, with `fit`.

    `compile` it with an optimizer only. A step draws its dequantization noise and dropout masks
    from (seed, step): a resumed run sees those of an unbroken one, and many devices those of one.
    The gradient is shortened to `clip_norm`. A loss or gradient that is not finite raises
    `InvalidArgumentError` before any weight changes (compiled with XLA, which cannot raise, the
    step changes no weight by a NaN and reports the loss).

    `fit` takes uint8 batches [N, H, W, C]. `evaluate` takes them too, or pairs (pixels, weights)
    with one weight an image: 0 for images that only fill the last batch.

    Args:
        images_distribution: a `Dequantized` around a `MarScf`.
        clip_norm: greatest norm of the gradient of bits/dim.
        seed: Python `int`.
        num_accumulated_parts: a batch is worked off in this many equal parts, whose gradients are
            added up: less memory, the same step but for dropout's masks.
        weight_average: a `WeightAverage` to update and to evaluate beside the weights, or None.
        name: Python `str`.
    """

    def __init__(
        self,
        images_distribution,
        clip_norm=1.0,
        seed=0,
        num_accumulated_parts=1,
        weight_average=None,
        name="density_trainer",
    ):
        super().__init__(name=name)
        # Behind a function: Keras would try to track objects that it does not know.
        self._get_parts = lambda: (images_distribution, weight_average)
        self._clip_norm = clip_norm
        self._seed = seed
        self._num_accumulated_parts = num_accumulated_parts
        levels = range(1, images_distribution.distribution.config.num_levels + 1)
        self.value_names = (
            "bits_per_dim",
            "gradient_norm",
            *(f"prior_bits_per_dim/level_{level}" for level in levels),
            *(f"log_det_bits_per_dim/level_{level}" for level in levels),
        )
        count = len(self.value_names)
        self.step_values = _state_variable(count, "step_values")
        self.epoch_sums = _state_variable(count + 1, "epoch_sums")
        self._evaluation_sums = _state_variable(4, "evaluation_sums")
        self._keeps_epoch_sums = False
        self.built = True

    @property
    def images_distribution(self):
        """The distribution of uint8 images."""
        return self._get_parts()[0]

    @property
    def weight_average(self):
        """The `WeightAverage`, or None."""
        return self._get_parts()[1]

    @property
    def evaluated_distribution(self):
        """The distribution with averaged weights where there is one, else the trained one."""
        average = self.weight_average
        return self.images_distribution if average is None else average.images_distribution

    def _maybe_symbolic_build(self, *args, **kwargs):
        """Nothing is left to build, and Keras's own fails to average uint8 over workers."""

    @property
    def metrics(self):
        """None of Keras's: means over an epoch are kept here, so that they can be resumed."""
        return []

    def fit(self, *args, callbacks=None, **kwargs):
        """As Keras's `fit`; the means over an epoch start anew with each epoch."""
        return super().fit(*args, callbacks=[_StartEpochSums(), *(callbacks or ())], **kwargs)

    def keep_epoch_sums(self):
        """Lets the next epoch go on from restored sums: it was interrupted in its middle."""
        self._keeps_epoch_sums = True

    def start_epoch_sums(self):
        """Starts the means over an epoch anew, unless `keep_epoch_sums` was called."""
        if not self._keeps_epoch_sums:
            self.epoch_sums.assign(tf.zeros_like(self.epoch_sums))
        self._keeps_epoch_sums = False

    def reset_metrics(self):
        """Starts the means over an evaluation anew."""
        self._evaluation_sums.assign(tf.zeros_like(self._evaluation_sums))

    def epoch_means(self):
        """Means over the epoch so far, by name."""
        *sums, count = self.epoch_sums.numpy()
        return {name: total / count for name, total in zip(self.value_names, sums, strict=True)}

    def train_step(self, pixels):
        """One step of gradient descent on a batch of uint8 images [N, H, W, C]."""
        step = self.optimizer.iterations
        noise_seed, dropout_seed = split_seed(tf.stack([self._seed, tf.cast(step, tf.int32)]), 2)
        images = self.images_distribution.dequantize(pixels, seed=noise_seed)
        gradients, parts = self._gradients(images, dropout_seed)
        context = tf.distribute.get_replica_context()
        num_replicas = context.num_replicas_in_sync
        if num_replicas > 1:
            *gradients, parts = context.all_reduce(tf.distribute.ReduceOp.SUM, [*gradients, parts])
        loss = tf.reduce_sum(parts) + self._bits_of_a_grey_level(parts.dtype)
        norm = tf.linalg.global_norm(gradients)
        with tf.control_dependencies(self._checks(loss, norm)):
            # One pass over the gradients clips them and divides by the replicas: Keras adds up the
            # replicas' gradients, which are all the same by now.
            factor = self._clip_norm / tf.maximum(norm, self._clip_norm) / num_replicas
            gradients = [gradient * factor for gradient in gradients]
            if self.jit_compile:
                is_finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
                gradients = [tf.where(is_finite, part, 0.0) for part in gradients]
            self.optimizer.apply_gradients(
                zip(gradients, self.images_distribution.trainable_variables, strict=True)
            )
        if self.weight_average is not None:
            self.weight_average.update(step - 1)
        values = tf.cast(tf.concat([[loss, norm], parts], axis=0), tf.float64)
        self.step_values.assign(values)
        self.epoch_sums.assign_add(tf.concat([values, tf.ones([1], tf.float64)], axis=0))
        means = self.epoch_sums[:2] / self.epoch_sums[-1]
        return self._logs({"bits_per_dim": means[0], "gradient_norm": means[1]})

    def _checks(self, loss, norm):
        if self.jit_compile:
            return []
        return [
            tf.debugging.check_numerics(loss, "The loss is not finite"),
            tf.debugging.check_numerics(norm, "The gradient is not finite"),
        ]

    def _bits_of_a_grey_level(self, dtype):
        return tf.constant(math.log2(self.images_distribution.num_grey_levels), dtype)

    def _gradients(self, images, dropout_seed):
        """This replica's share of the gradients and of the terms of bits/dim."""
        num_parts = self._num_accumulated_parts
        if num_parts == 1:
            return self._gradients_of_part(images, dropout_seed, 1)
        parts = tf.reshape(images, [num_parts, -1, *images.shape[1:]])
        seeds = tf.stack(split_seed(dropout_seed, num_parts))
        first = self._gradients_of_part(parts[0], seeds[0], num_parts)

        def add_part(index, sums):
            terms = self._gradients_of_part(parts[index], seeds[index], num_parts)
            return index + 1, tf.nest.map_structure(tf.add, sums, terms)

        return tf.while_loop(
            lambda index, sums: index < num_parts, add_part, (tf.constant(1), first)
        )[1]

    def _gradients_of_part(self, images, dropout_seed, num_parts):
        distribution = self.images_distribution
        variables = distribution.trainable_variables
        num_replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        num_images = tf.shape(images)[0] * (num_replicas * num_parts)
        unit = -1.0 / (distribution.num_dimensions * math.log(2.0))
        with tf.GradientTape() as tape:
            log_priors, log_dets = distribution.distribution.log_prob_parts(images, dropout_seed)
            terms = tf.stack([tf.reduce_sum(term) for term in (*log_priors, *log_dets)])
            terms *= unit / tf.cast(num_images, terms.dtype)
            loss = tf.reduce_sum(terms)
        return tape.gradient(loss, variables), terms

    def test_step(self, data):
        """Adds a batch of uint8 images to the mean bits/dim of an evaluation."""
        pixels, weights = data if isinstance(data, tuple) else (data, None)
        if weights is None:
            weights = tf.ones(tf.shape(pixels)[:1])
        weights = tf.cast(weights, tf.float64)
        # Its last entry counts batches.
        seed = tf.stack([_EVALUATION_SEED, tf.cast(self._evaluation_sums[-1], tf.int32)])
        distributions = [self.images_distribution, self.evaluated_distribution]
        if self.weight_average is None:
            distributions = distributions[:1]
        bits = [
            tf.cast(distribution.bits_per_dim(pixels, seed=seed), tf.float64)
            for distribution in distributions
        ]
        # Not a product: bits/dim of an image that only fills up may be anything.
        sums = [tf.reduce_sum(tf.where(weights > 0.0, part * weights, 0.0)) for part in bits]
        sums = tf.stack([sums[0], sums[-1], tf.reduce_sum(weights)])
        context = tf.distribute.get_replica_context()
        if context.num_replicas_in_sync > 1:
            sums = context.all_reduce(tf.distribute.ReduceOp.SUM, sums)
        self._evaluation_sums.assign_add(tf.concat([sums, tf.ones([1], tf.float64)], axis=0))
        means = self._evaluation_sums[:2] / self._evaluation_sums[2]
        logs = {"bits_per_dim": means[0]}
        if self.weight_average is not None:
            logs["average_bits_per_dim"] = means[1]
        return self._logs(logs)

    def _logs(self, logs):
        """Values as Keras can reduce them: under several workers it wants a leading axis."""
        strategy = tf.distribute.get_strategy()
        shape = [1] if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) else []
        return {name: tf.reshape(value, shape) for name, value in logs.items()}


class _StartEpochSums(keras.callbacks.Callback):
    """Not in `reset_metrics`, which Keras calls before each evaluation, too."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.start_epoch_sums()


def _state_variable(size, name):
    """A vector that is the same on all replicas, and is set inside of them."""
    return tf.Variable(
        tf.zeros([size], tf.float64),
        trainable=False,
        aggregation=tf.VariableAggregation.MEAN,
        name=name,
    )

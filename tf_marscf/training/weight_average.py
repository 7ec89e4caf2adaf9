"""Exponential moving average of a model's weights."""

import tensorflow as tf


class WeightAverage(tf.Module):
    """A second model whose weights are the moving average of the first one's.

        average += (1 - d) * (weights - average),   d = min(decay, (1 + t) / (10 + t))

    at step t, counted from zero: the first steps, far from where training ends, are soon forgotten
    (the warm-up of `tf.train.ExponentialMovingAverage`).

    The first `Dequantized` is trained; `average_distribution` is another of its architecture.
    """

    def __init__(self, images_distribution, average_distribution, decay):
        super().__init__(name="weight_average")
        # In a function, so that checkpoints do not see the weights by another path.
        self._get_distributions = lambda: (images_distribution, average_distribution)
        self.decay = decay

    @property
    def images_distribution(self):
        """The distribution with averaged weights."""
        return self._get_distributions()[1]

    def start(self):
        """Copies all weights. Call it outside of training steps."""
        source, target = self._get_distributions()
        for variable, average in zip(source.variables, target.variables, strict=True):
            average.assign(tf.convert_to_tensor(variable))

    def update(self, step):
        """Takes in the weights after a step; inside a replica of `tf.distribute`."""
        source, target = self._get_distributions()
        step = tf.cast(step, tf.float32)
        rate = 1.0 - tf.minimum(self.decay, (1.0 + step) / (10.0 + step))

        def move(average, weight, rate):
            average.assign_add(tf.cast(rate, average.dtype) * (weight - average))

        def merge(strategy, rate):
            for weight, average in zip(
                source.trainable_variables, target.trainable_variables, strict=True
            ):
                strategy.extended.update(average, move, args=(weight, rate), group=False)

        tf.distribute.get_replica_context().merge_call(merge, args=(rate,))

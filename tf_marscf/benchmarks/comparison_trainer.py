"""Trains any density of images in one way, with a clock that runs while it trains and no longer."""

import itertools
import math
import time

import numpy as np
import tensorflow as tf

from tf_marscf.data import evaluation_pipeline, training_pipeline
from tf_marscf.distributions import Dequantized
from tf_marscf.stateless_seed import split_seed
from tf_marscf.training.density_step import density_step, step_seeds
from tf_marscf.training.fused_adamax import FusedAdamax
from tf_marscf.training.warm_up_schedule import WarmUpSchedule

_EVALUATION_BATCH_SIZE = 100


class ComparisonTrainer:
    """Trains one `ComparisonModel` on bits/dim.

    Models that are trained with equal arguments see the same batches, the same dequantization noise
    and the same steps of the optimizer (Adamax, linear warm-up, clipped gradients). The model's own
    data-dependent initialisation comes first, from the first training batch.

    Args:
        model: a `ComparisonModel` of continuous images.
        dataset: an `ImageDataset`.
        evaluation_images: the held-out images, a data set of single uint8 images.
        config: a `DensityBenchmarkConfig`.

    Attributes:
        model: the model.
        steps: steps done.
        seconds: seconds spent in them; the time to trace and compile a step is not counted.
        stopped: None, or why training ended early.
    """

    def __init__(self, model, dataset, evaluation_images, config):
        self.model = model
        self.steps = 0
        self.seconds = 0.0
        self.stopped = None
        self._config = config
        self._pixels = Dequantized(model.distribution, dataset.num_grey_levels)
        batches = iter(training_pipeline(dataset.train, config.batch_size, config.seed))
        first = next(batches)
        self._batches = itertools.chain([first], batches)
        self._evaluation_batches = evaluation_pipeline(evaluation_images, _EVALUATION_BATCH_SIZE)
        model.initialize(self._pixels.dequantize(first, seed=config.seed))
        self._optimizer = FusedAdamax(
            WarmUpSchedule(config.learning_rate, config.batch_size, config.warm_up_images)
        )
        self._optimizer.build(model.trainable_variables)
        self._step = tf.function(self._train_step, autograph=False).get_concrete_function(
            tf.TensorSpec(first.shape, tf.uint8), tf.TensorSpec([], tf.int32)
        )
        # Traced for two batch sizes: `tfb.Glow` fails where the size is unknown.
        self._score = tf.function(
            lambda pixels, seed: self._pixels.bits_per_dim(pixels, seed=seed), autograph=False
        )
        self._run_and_undo(first)

    def _train_step(self, pixels, step):
        """One step; the seeds are those of `DensityTrainer`, the noise that of `log_prob`."""
        noise_seed, dropout_seed = step_seeds(self._config.seed, step)
        (noise_seed,) = split_seed(noise_seed, 1)
        values = density_step(
            lambda images, _: [self.model.log_prob(images)],
            self._pixels.dequantize(pixels, seed=noise_seed),
            dropout_seed,
            self.model.trainable_variables,
            self._optimizer,
            num_grey_levels=self._pixels.num_grey_levels,
            clip_norm=self._config.clip_norm,
        )
        return values[0]

    def _run(self, pixels):
        """Runs a step and waits for it; returns whether loss and gradient were finite."""
        try:
            self._step(pixels, tf.constant(self.steps)).numpy()
        except tf.errors.InvalidArgumentError as error:
            if "is not finite" not in str(error):
                raise
            return False
        return True

    def _run_and_undo(self, pixels):
        """Runs a step for what TensorFlow does in a first one only, which is no training time."""
        variables = [*self.model.distribution.variables, *self._optimizer.variables]
        values = [tf.convert_to_tensor(variable).numpy() for variable in variables]
        self._run(pixels)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def train(self, num_steps, max_seconds=math.inf):
        """Trains for some steps, or until `seconds` reaches a limit.

        A loss or gradient that is not finite ends the training for good; `stopped` says so.
        """
        for _ in range(num_steps):
            if self.stopped or self.seconds >= max_seconds:
                return
            start = time.perf_counter()
            if not self._run(next(self._batches)):
                self.stopped = f"loss or gradient not finite at step {self.steps + 1}"
                return
            self.seconds += time.perf_counter() - start
            self.steps += 1

    def evaluate(self):
        """Mean and standard error of the held-out images' bits/dim, with the same noise each time.

        The error of a single image is None. Both are None where a value is not finite, which ends
        the training for good; `stopped` says so.
        """
        seed = self._config.seed
        scores = [
            self._score(pixels, tf.constant([seed, batch]))
            for batch, pixels in enumerate(self._evaluation_batches)
        ]
        values = np.concatenate(scores).astype(np.float64)
        num_wrong = int(np.sum(~np.isfinite(values)))
        if num_wrong:
            self.stopped = f"bits/dim of {num_wrong} of {len(values)} held-out images not finite"
            return None, None
        if len(values) == 1:
            return float(values[0]), None
        return float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))

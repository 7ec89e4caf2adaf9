"""Trains any density of images in one way, with a clock that runs while it trains and no longer."""

import contextlib
import itertools
import math
import time

import keras
import numpy as np
import tensorflow as tf

from tf_marscf.data import evaluation_pipeline, training_pipeline
from tf_marscf.stateless_seed import split_seed
from tf_marscf.training.density_step import density_step, step_seeds
from tf_marscf.training.fused_optimizers import make_optimizer
from tf_marscf.training.warm_up_schedule import WarmUpSchedule
from tf_marscf.training.weight_average import WeightAverage

_EVALUATION_BATCH_SIZE = 100


class ComparisonTrainer:
    """Trains one `ComparisonModel` on bits/dim.

    Models that are trained with equal arguments see the same batches, the same dequantization noise
    and the same optimizer (linear warm-up, clipped gradients). The model's own data-dependent
    initialisation comes first, from the first training batch.

    Args:
        model: a `ComparisonModel` of continuous images.
        dataset: an `ImageDataset`.
        evaluation_images: the held-out images, a data set of single uint8 images.
        config: a `TrainedModelsConfig`.
        seed: of data order, noise and dropout; default: that of `config`.
        average_decays: of moving averages of the weights, which are evaluated beside them.

    Attributes:
        model: the model.
        steps: steps done.
        seconds: seconds spent in them, averages included; the time to trace and compile a step is
            not counted.
        stopped: None, or why training ended early.
    """

    def __init__(self, model, dataset, evaluation_images, config, seed=None, average_decays=()):
        self.model = model
        self.steps = 0
        self.seconds = 0.0
        self.stopped = None
        self._config = config
        self._seed = config.seed if seed is None else seed
        self._images = dataset.train
        self._pixels = model.dequantized(dataset.num_grey_levels)
        first = self._take_batches_after(0)
        self._evaluation_batches = evaluation_pipeline(evaluation_images, _EVALUATION_BATCH_SIZE)
        if self._pixels.dequantizer is not None:
            self._pixels.dequantizer.initialize(first, self._seed)
        model.initialize(self._pixels.dequantize(first, seed=self._seed))
        self._averages = {
            decay: WeightAverage(self._pixels, _WeightCopy(self._pixels), decay)
            for decay in average_decays
        }
        self._optimizer = make_optimizer(
            config.optimizer,
            WarmUpSchedule(config.learning_rate, config.batch_size, config.warm_up_images),
        )
        self._optimizer.build(self._pixels.trainable_variables)
        self._step = tf.function(self._train_step, autograph=False).get_concrete_function(
            tf.TensorSpec(first.shape, tf.uint8), tf.TensorSpec([], tf.int32)
        )
        self._score_graphs = {}
        self._run_and_undo(first)

    def _train_step(self, pixels, step):
        """One step; the seeds are those of `DensityTrainer`, the noise that of `log_prob`."""
        noise_seed, dropout_seed = step_seeds(self._seed, step)
        (noise_seed,) = split_seed(noise_seed, 1)
        values = density_step(
            self._log_prob_terms,
            (self._pixels.noise(pixels, seed=noise_seed), pixels),
            dropout_seed,
            self._pixels.trainable_variables,
            self._optimizer,
            num_grey_levels=self._pixels.num_grey_levels,
            clip_norm=self._config.clip_norm,
        )
        for average in self._averages.values():
            average.update(step)
        return values[0]

    def _log_prob_terms(self, noise_and_pixels, dropout_seed):
        images, log_noise_prob = self._pixels.dequantize_with(*noise_and_pixels)
        return [self.model.training_log_prob(images, dropout_seed) - log_noise_prob]

    def _take_batches_after(self, num_steps):
        """Sets the batches to come, and returns the first: to shuffle is no training time."""
        config = self._config
        batches = iter(
            training_pipeline(
                self._images,
                config.batch_size,
                self._seed,
                config.augmentation,
                first_image=num_steps * config.batch_size,
            )
        )
        first = next(batches)
        self._batches = itertools.chain([first], batches)
        return first

    @property
    def _variables(self):
        """The `tf.Variable`s of model, learned noise, optimizer and averages."""
        copies = [average.images_distribution for average in self._averages.values()]
        parts = [self._pixels, self._optimizer, *copies]
        return [
            variable.value if isinstance(variable, keras.Variable) else variable
            for part in parts
            for variable in part.variables
        ]

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
        variables = self._variables
        values = [variable.numpy() for variable in variables]
        self._run(pixels)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def checkpoint(self, **others):
        """A `tf.train.Checkpoint` of all weights and of `others`, trackable objects by name."""
        return tf.train.Checkpoint(weights=self._variables, **others)

    def go_on_from(self, steps, seconds):
        """Takes up the training where a checkpoint, which was read, was written."""
        self.steps, self.seconds = steps, seconds
        self._take_batches_after(steps)

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

    def evaluate(self, average_decay=0.0):
        """Mean and standard error of the held-out images' bits/dim, with the same noise each time.

        The error of a single image is None. Both are None where a value is not finite, which ends
        the training for good; `stopped` says so.

        Args:
            average_decay: of the average of the weights that is evaluated; 0 for the weights.
        """
        with self._averaged_weights(average_decay):
            scores = [
                self._score_graph(len(pixels))(pixels, tf.constant([self._seed, batch]))
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

    def weights(self, average_decay=0.0):
        """Arrays of all variables of what is trained, in their order, or with an average of them.

        Args:
            average_decay: as of `evaluate`.
        """
        with self._averaged_weights(average_decay):
            return [variable.numpy() for variable in self._pixels.variables]

    @property
    def num_dequantizer_parameters(self):
        """Trainable numbers of learned noise, which are not among the model's."""
        dequantizer = self._pixels.dequantizer
        variables = [] if dequantizer is None else dequantizer.trainable_variables
        return sum(variable.shape.num_elements() for variable in variables)

    def _score_graph(self, size):
        """The graph that scores batches of one size: `tfb.Glow` fails where it is unknown."""
        if size not in self._score_graphs:
            shape = [size, *self._pixels.event_shape]
            self._score_graphs[size] = tf.function(
                lambda pixels, seed: self._pixels.bits_per_dim(pixels, seed=seed), autograph=False
            ).get_concrete_function(tf.TensorSpec(shape, tf.uint8), tf.TensorSpec([2], tf.int32))
        return self._score_graphs[size]

    @contextlib.contextmanager
    def _averaged_weights(self, decay):
        """Has the model have averaged weights meanwhile: a model of their own would be traced."""
        if not decay:
            yield
            return
        variables = self._pixels.variables
        weights = [variable.numpy() for variable in variables]
        averages = self._averages[decay].images_distribution.variables
        try:
            for variable, average in zip(variables, averages, strict=True):
                variable.assign(average)
            yield
        finally:
            for variable, weight in zip(variables, weights, strict=True):
                variable.assign(weight)


class _WeightCopy(tf.Module):
    """Variables like those of a distribution, in their order: what a `WeightAverage` sets."""

    def __init__(self, distribution):
        super().__init__(name="weight_copy")
        self._copies = [
            tf.Variable(tf.convert_to_tensor(variable), trainable=variable.trainable)
            for variable in distribution.variables
        ]

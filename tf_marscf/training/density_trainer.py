"""The Keras model that trains a distribution."""

import functools

import keras
import tensorflow as tf

from tf_marscf.density_layer import DensityLayer
from tf_marscf.distributions.image_distribution import check_value
from tf_marscf.distributions.labels import checked_label
from tf_marscf.errors import InputError
from tf_marscf.kernels.compiled_by_xla import whole_by_xla
from tf_marscf.training.compiled_trainer import CompiledTrainer
from tf_marscf.training.density_step import density_step, step_seeds
from tf_marscf.training.fit_arguments import (
    check_callbacks,
    check_no_image_weights,
    check_trained_weights,
    evaluation_examples,
    training_examples,
    with_label_beside_weights,
)
from tf_marscf.training.weight_average import WeightAverage

# Evaluation noise is the same in every epoch, so that its figures can be compared.
_EVALUATION_SEED = 20200620


@keras.saving.register_keras_serializable("tf_marscf")
class DensityTrainer(CompiledTrainer):
    """Trains a `Dequantized` distribution by gradient descent on bits/dim, with `fit`.

    `compile` it with an optimizer only. A step, see `density_step`, draws its dequantization noise
    and dropout masks from (seed, step): a resumed run sees those of an unbroken one, and many
    devices those of one.

    `fit` and `evaluate` take uint8 batches [N, H, W, C], or pairs (images, label). A model with
    classes needs the label, int32 or int64 [N]; others ignore it. `evaluate` also takes weights,
    one an image: as `sample_weight`, or `WeightedImages` of `padded_evaluation_pipeline`. `predict`
    gives log-probabilities in nats; with classes, x must be a pair (images, label).

    Keras sees the weights, so that its callbacks work, and `save`, once `DensityTrainer` has been
    imported. The weights of the average are weights that are not trained. What `trainable` freezes
    does not train, from the next `fit` on. Values are called "bits_per_dim" and "val_bits_per_dim":
    there is no "val_loss" to monitor.

    Args:
        images_distribution: a `Dequantized` of a `MarScf`.
        clip_norm: greatest norm of the gradient of bits/dim; longer ones are shortened.
        seed: Python `int`.
        num_accumulated_parts: equal parts of a batch, whose gradients are added up one after
            another: less memory, the same step but for dropout's masks.
        weight_average: a `WeightAverage` to update and to evaluate beside the weights, or None.
        prior_start_steps: steps at the start in which mAR priors rest: they are Glow's, from which
            they start (`FlowLevel.log_prob_parts`). None: there is no such phase.
        name: Python `str`.
    """

    def __init__(
        self,
        images_distribution,
        clip_norm=1.0,
        seed=0,
        num_accumulated_parts=1,
        weight_average=None,
        prior_start_steps=None,
        name="density_trainer",
    ):
        model = images_distribution.distribution
        if prior_start_steps is not None:
            model.config.check_gaussian_start("prior_start_steps", prior_start_steps)
        super().__init__(name=name, dtype=model.dtype.name)
        # In a function, so that checkpoints see each variable by one path.
        self._get_average = lambda: weight_average
        self.density = DensityLayer(images_distribution, seed=seed, name="density")
        if weight_average is not None:
            averaged = weight_average.images_distribution
            self.averaged_density = DensityLayer(averaged, seed, False, name="averaged_density")
        self._clip_norm = clip_norm
        self._seed = seed
        self._num_accumulated_parts = num_accumulated_parts
        self.prior_start_steps = prior_start_steps
        levels = range(1, model.config.num_levels + 1)
        self.value_names = (
            "bits_per_dim",
            "gradient_norm",
            *(f"prior_bits_per_dim/level_{level}" for level in levels),
            *(f"log_det_bits_per_dim/level_{level}" for level in levels),
        )
        if images_distribution.dequantizer is not None:
            self.value_names += ("dequantization_bits_per_dim",)
        count = len(self.value_names)
        self.step_values = _state_variable(count, "step_values")
        self.epoch_sums = _state_variable(count + 1, "epoch_sums")
        self._evaluation_sums = _state_variable(4, "evaluation_sums")
        self._is_evaluating = self._keeps_epoch_sums = False
        self._traced_weights = None
        self.built = True

    @property
    def images_distribution(self):
        """The distribution of uint8 images."""
        return self.density.distribution

    @property
    def weight_average(self):
        """The `WeightAverage`, or None."""
        return self._get_average()

    def _maybe_symbolic_build(self, *args, **kwargs):
        """Nothing is left to build, and Keras's own fails to average uint8 over workers."""

    @property
    def metrics(self):
        """None of Keras's: means over an epoch are kept here, so that they can be resumed."""
        return []

    def call(self, pixels, training=False):
        """Log-probabilities of uint8 images [N, H, W, C], in nats; as of `DensityLayer`."""
        return self.density(pixels, training=training)

    def compute_output_shape(self, input_shape):
        """The shape of what a call returns."""
        return self.density.compute_output_shape(input_shape)

    def fit(
        self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, **kwargs
    ):
        """As Keras's `fit`.

        Raises:
            InputError: if no weight trains, images have weights, or a callback waits for a loss.
        """
        check_no_image_weights(**kwargs)
        check_callbacks(callbacks)
        if "validation_data" in kwargs:
            kwargs["validation_data"] = with_label_beside_weights(
                kwargs["validation_data"], self.images_distribution.num_classes
            )
        weights = self.trainable_weights
        if not weights:
            raise InputError("`trainable` must be True for some weight; got False for all.")
        if getattr(self, "optimizer", None) is not None:
            check_trained_weights(self.optimizer, weights)
        paths = [weight.path for weight in weights]
        if paths != self._traced_weights:
            # The step is traced once more: Keras would not notice a change of `trainable`.
            self.train_function = None
        self._traced_weights = paths
        return super().fit(x, y, batch_size, epochs, verbose, callbacks, **kwargs)

    def evaluate(self, x=None, y=None, *args, sample_weight=None, **kwargs):
        """As Keras's `evaluate`: means of bits/dim over images."""
        x, y, sample_weight = with_label_beside_weights(
            (x, y, sample_weight), self.images_distribution.num_classes
        )
        self._is_evaluating = True
        try:
            return super().evaluate(x, y, *args, sample_weight=sample_weight, **kwargs)
        finally:
            self._is_evaluating = False

    def keep_epoch_sums(self):
        """Lets the next epoch go on from restored sums: it was interrupted in its middle."""
        self._keeps_epoch_sums = True

    def reset_metrics(self):
        """Starts the means over an evaluation or an epoch anew; Keras calls it before each."""
        self._evaluation_sums.assign(tf.zeros_like(self._evaluation_sums))
        if not self._is_evaluating:
            if not self._keeps_epoch_sums:
                self.epoch_sums.assign(tf.zeros_like(self.epoch_sums))
            self._keeps_epoch_sums = False

    def epoch_means(self):
        """Means over the epoch so far, by name."""
        *sums, count = self.epoch_sums.numpy()
        return {name: total / count for name, total in zip(self.value_names, sums, strict=True)}

    def train_step(self, data):
        """One step of gradient descent on a batch of uint8 images [N, H, W, C]."""
        pixels, label = training_examples(data, self.images_distribution.num_classes)
        pixels = check_value(self.images_distribution, pixels, "pixels")
        label = self._checked_label(label)
        step = self.optimizer.iterations
        noise_seed, dropout_seed = step_seeds(self._seed, step)
        batch = (self.images_distribution.noise(pixels, seed=noise_seed), pixels)
        priors_rest = None
        if self.prior_start_steps is not None:
            priors_rest = tf.cast(step, tf.int64) < self.prior_start_steps
        values = density_step(
            functools.partial(self._log_prob_terms, priors_rest),
            batch if label is None else (*batch, label),
            dropout_seed,
            [weight.value for weight in self.trainable_weights],
            self.optimizer,
            num_grey_levels=self.images_distribution.num_grey_levels,
            clip_norm=self._clip_norm,
            num_accumulated_parts=self._num_accumulated_parts,
            jit_compile=self.compiles_steps,
        )
        if self.weight_average is not None:
            self.weight_average.update(step - 1)
        values = tf.cast(values, tf.float64)
        self.step_values.assign(values)
        self.epoch_sums.assign_add(tf.concat([values, tf.ones([1], tf.float64)], axis=0))
        means = self.epoch_sums[:2] / self.epoch_sums[-1]
        return self._logs({"bits_per_dim": means[0], "gradient_norm": means[1]})

    def _log_prob_terms(self, priors_rest, batch, dropout_seed):
        noise, pixels, *label = batch
        images, log_noise_prob = self.images_distribution.dequantize_with(noise, pixels)
        log_priors, log_dets = self.density.model.log_prob_parts(
            images, dropout_seed, priors_rest, *label
        )
        terms = [*log_priors, *log_dets]
        return terms if self.images_distribution.dequantizer is None else [*terms, -log_noise_prob]

    def test_step(self, data):
        """Adds a batch of uint8 images to the mean bits/dim of an evaluation."""
        num_classes = self.images_distribution.num_classes
        pixels, label, weights = evaluation_examples(data, num_classes)
        label = self._checked_label(label)
        of_class = {} if label is None else {"label": label}
        if weights is None:
            weights = tf.ones(tf.shape(pixels)[:1])
        weights = tf.cast(weights, tf.float64)
        # Its last entry counts batches.
        seed = tf.stack([_EVALUATION_SEED, tf.cast(self._evaluation_sums[-1], tf.int32)])
        distributions = [self.images_distribution]
        if self.weight_average is not None:
            distributions.append(self.weight_average.images_distribution)

        def bits_per_dim(pixels):
            bits = [part.bits_per_dim(pixels, seed=seed, **of_class) for part in distributions]
            return [tf.cast(part, tf.float64) for part in bits]

        bits = whole_by_xla(bits_per_dim, self.compiles_steps)(pixels)
        # Not a product: bits/dim of an image that only fills up may be anything.
        sums = [tf.reduce_sum(tf.where(weights != 0.0, part * weights, 0.0)) for part in bits]
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

    def _checked_label(self, label):
        """As of `checked_label`, and outside of what XLA compiles, where no check is made."""
        model = self.density.model
        return None if label is None else checked_label(label, model.num_classes, model.name)

    def _logs(self, logs):
        """Values as Keras can reduce them: under several workers it wants a leading axis."""
        strategy = tf.distribute.get_strategy()
        shape = [1] if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) else []
        return {name: tf.reshape(value, shape) for name, value in logs.items()}

    def get_config(self):
        """The constructor's arguments, as a dict that JSON can hold and `from_config` takes."""
        average = self.weight_average
        return {
            "density": self.density.get_config(),
            "clip_norm": self._clip_norm,
            "seed": self._seed,
            "num_accumulated_parts": self._num_accumulated_parts,
            "average_decay": None if average is None else average.decay,
            "prior_start_steps": self.prior_start_steps,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        """A trainer of a new distribution."""
        config = dict(config)
        density, decay = config.pop("density"), config.pop("average_decay")
        distribution = DensityLayer.from_config(density).distribution
        average = None
        if decay is not None:
            averaged = DensityLayer.from_config(density).distribution
            average = WeightAverage(distribution, averaged, decay)
            average.start()
        return cls(distribution, weight_average=average, **config)


def _state_variable(size, name):
    """A vector that each replica sets to the same values: none is asked for another's."""
    return tf.Variable(
        tf.zeros([size], tf.float64),
        trainable=False,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        name=name,
    )

"""All of a training run that its checkpoints hold."""

import dataclasses
import math

import tensorflow as tf

from tf_marscf.distributions import Dequantized
from tf_marscf.errors import RunError
from tf_marscf.flow import MarScf
from tf_marscf.runs.checkpoint_store import CheckpointStore, write_order
from tf_marscf.training.density_trainer import DensityTrainer
from tf_marscf.training.fused_adamax import FusedAdamax
from tf_marscf.training.strategies import gather_from_workers, is_chief
from tf_marscf.training.training_progress import TrainingProgress
from tf_marscf.training.warm_up_schedule import WarmUpSchedule
from tf_marscf.training.weight_average import WeightAverage

# Of the data-dependent initialisation: no batch of a recipe is smaller.
MIN_INITIAL_IMAGES = 32


class TrainingState:
    """Model, optimizer, average, progress and sums over the epoch, built in a strategy's scope.

    Args:
        config: the `RunConfig`.
        training: the `TrainingConfig`.
        epoch_size: images of an epoch, a multiple of the batch size.
        num_images: training images that the whole run sees.
        strategy: a `tf.distribute.Strategy`.
        train_dir: the training directory.

    Attributes:
        images_distribution: the `Dequantized` that is trained.
        weight_average: a `WeightAverage`, or None.
        trainer: the compiled `DensityTrainer`.
        progress: a `TrainingProgress`.
        step: training steps done.
    """

    def __init__(self, config, training, epoch_size, num_images, strategy, train_dir):
        self._strategy = strategy
        self._is_chief = is_chief(strategy)
        self._latest = CheckpointStore(train_dir, "latest")
        # One more than "latest" has: each of those finds the best of its time.
        self._best = CheckpointStore(train_dir, "best", keep=3)
        self._epoch_size = epoch_size
        self.progress = TrainingProgress(epoch_size)
        self.step = 0
        self._good_step = None
        self._schedule = WarmUpSchedule(
            training.learning_rate,
            training.batch_size,
            warm_up_images=training.warm_up_images,
            decay_images=num_images if training.decay == "cosine" else None,
        )
        with strategy.scope():
            self.images_distribution = _build(config, training)
            self.weight_average = None
            if training.average_decay:
                self.weight_average = WeightAverage(
                    self.images_distribution, _build(config, training), training.average_decay
                )
            optimizer = FusedAdamax(self._schedule)
            optimizer.build(self.images_distribution.trainable_variables)
            self.trainer = DensityTrainer(
                self.images_distribution,
                clip_norm=training.clip_norm,
                seed=training.seed,
                num_accumulated_parts=training.num_accumulated_parts,
                weight_average=self.weight_average,
            )
            self.trainer.compile(optimizer=optimizer, jit_compile=training.jit_compile)

    @property
    def latest_checkpoint(self):
        """The path of the newest checkpoint of the state, or None."""
        return next(iter(self._latest.paths()), None)

    def initialize(self, batches, seed):
        """Sets ActNorm from the first global batches of training images, on every worker.

        Small batches give no statistics: as many are taken as make `MIN_INITIAL_IMAGES`. The seed
        is that of the dequantization.
        """
        num_batches = -(-MIN_INITIAL_IMAGES // batches.element_spec.shape[0])
        pixels = tf.concat(list(batches.take(num_batches)), axis=0)
        images = self.images_distribution.dequantize(pixels, seed=seed)
        self.images_distribution.distribution.initialize(images)
        self._start_average()

    def copy_weights(self, images_distribution):
        """Sets all weights to those of another distribution of the same architecture."""
        for variable, value in zip(
            self.images_distribution.variables, images_distribution.variables, strict=True
        ):
            variable.assign(tf.convert_to_tensor(value))
        self._start_average()

    def _start_average(self):
        if self.weight_average is not None:
            self.weight_average.start()

    def restore(self, log):
        """Reads the newest checkpoint that is whole; damaged ones are set aside.

        So are best weights that were written after it: what is trained from here on is another
        trajectory, which would find them again if they are its own.

        Args:
            log: a `RunLog`.

        Returns:
            Whether there was one.

        Raises:
            RunError: if there are checkpoints and none can be read, or the workers read different
                ones; nothing is changed then.
        """
        path, damaged = self._restore_on_all_workers()
        if path is None:
            return False
        for name, reason in damaged:
            log.write(f"warning: checkpoint {str(name)!r} is refused: {reason}")
            if self._is_chief:
                self._latest.set_aside(name)
        self._leave_later_best(path, log)
        self._schedule.first_step = self.step
        self._schedule.first_image = int(self.progress.images_seen.numpy())
        self.progress.resize_epochs(self._epoch_size)
        if int(self.progress.epoch_images.numpy()):
            self.trainer.keep_epoch_sums()
        log.write(f"continuing after step {self.step}, from {path}")
        return True

    def _restore_on_all_workers(self):
        """Path of the newest checkpoint, the same on all workers, and the refused before it."""
        path, damaged, error, number, found = None, [], None, -1, _NOTHING
        try:
            path, damaged = self._latest.restore(self._read)
        except RunError as failure:
            error, found = failure, _FAILED  # The others wait for this worker's answer.
        if path is not None:
            found = self.step = int(self.trainer.optimizer.iterations.numpy())
            number = write_order(path)[0]
        workers = gather_from_workers(self._strategy, [found, number])
        if error:
            raise error
        if len(set(workers)) > 1:
            words = {_FAILED: "none that can be read", _NOTHING: "none"}
            texts = [
                f"worker {index} has {words.get(step, f'step {step}')}"
                for index, (step, _) in enumerate(workers)
            ]
            raise RunError(
                "`train_dir` must be one directory that all workers share, such as on a network "
                f"file system; their newest checkpoints differ: {', '.join(texts)}."
            )
        return path, damaged

    def _leave_later_best(self, path, log):
        """Sets aside the best weights that were written after a checkpoint of the state."""
        later = [
            best
            for best in self._best.paths()
            if write_order(path) < write_order(best) < (math.inf, 0)
        ]
        for best in later:
            log.write(f"best weights {str(best)!r} are of later steps, and set aside")
            if self._is_chief:
                self._best.set_aside(best, mark="left")
        is_best_known = math.isfinite(float(self.progress.best_bits_per_dim.numpy()))
        if is_best_known and not set(self._best.paths()) - set(later):
            log.write("warning: the best weights so far are gone: the next evaluation starts anew")
            self.progress.forget_best()

    def note_finite_loss(self):
        """Notes that a finite loss was computed with the weights as they are."""
        self._good_step = self.step

    def set_aside_if_not_good(self):
        """Sets aside checkpoints with which no finite loss was computed; returns new paths."""
        if not self._is_chief or self._good_step == self.step:
            return []
        return [
            store.set_aside(path)
            for store in (self._latest, self._best)
            for path in store.paths()[:1]
            if write_order(path)[1] == self.step
        ]

    def _read(self, prefix):
        saved = {name.split("/")[0] for name, _ in tf.train.list_variables(prefix)}
        status = self._checkpoint().read(prefix)
        if "average" not in saved and self.weight_average is not None:
            self._checkpoint(with_average=False).read(prefix).assert_consumed()
            self.weight_average.start()
        elif "average" in saved and self.weight_average is None:
            status.assert_existing_objects_matched().expect_partial()
        else:
            status.assert_consumed()

    def _checkpoint(self, with_average=True):
        objects = {
            "model": self.images_distribution.distribution,
            "optimizer": self.trainer.optimizer,
            "progress": self.progress,
            "epoch_sums": self.trainer.epoch_sums,
        }
        if with_average and self.weight_average is not None:
            objects["average"] = self.weight_average.images_distribution.distribution
        return tf.train.Checkpoint(**objects)

    def save_latest(self):
        """Saves the state; raises a `RunError` if it cannot be written."""
        if self._is_chief:
            self._latest.save(self._checkpoint(), self.step)

    def save_best(self, images_distribution):
        """Saves a distribution's weights as the best; raises a `RunError` if that fails."""
        if self._is_chief:
            average = self.weight_average
            is_average = average is not None and images_distribution is average.images_distribution
            objects = {"average" if is_average else "model": images_distribution.distribution}
            self._best.save(tf.train.Checkpoint(**objects), self.step)


# Instead of a step, in what workers tell each other.
_NOTHING, _FAILED = -1, -2


def _build(config, training):
    """A new distribution of uint8 images."""
    model = MarScf.from_config(config.model, seed=training.seed, execution=training.execution)
    return Dequantized(model, **dataclasses.asdict(config.pixels))

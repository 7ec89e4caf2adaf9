"""All of a training run that its checkpoints hold."""

import math

import tensorflow as tf

from tf_marscf.errors import RunError
from tf_marscf.runs.checkpoint_store import CheckpointStore, write_order
from tf_marscf.runs.trained_model import build_distribution, checkpoint_objects
from tf_marscf.training.density_trainer import DensityTrainer
from tf_marscf.training.fused_optimizers import make_optimizer
from tf_marscf.training.strategies import gather_from_workers, is_chief
from tf_marscf.training.warm_up_schedule import WarmUpSchedule
from tf_marscf.training.weight_average import WeightAverage

# Of the data-dependent initialisation: no batch of a recipe is smaller.
MIN_INITIAL_IMAGES = 32
# Instead of a step, in what workers tell each other.
_NOTHING, _FAILED = -1, -2


class TrainingProgress(tf.Module):
    """How far a run has come: the part of its state that is neither model nor optimizer.

    An epoch is what lies between two evaluations: `epoch_size` images. `epoch` of them are done,
    evaluation included, and `epoch_images` of the next; `images_seen` counts over all epochs.
    `best_bits_per_dim` is the lowest of the validation, `epochs_without_improvement` ago.
    """

    def __init__(self, epoch_size):
        super().__init__(name="training_progress")
        self.epoch_size = _counter("epoch_size", epoch_size)
        self.images_seen = _counter("images_seen")
        self.epoch = _counter("epoch")
        self.epoch_images = _counter("epoch_images")
        self.epochs_without_improvement = _counter("epochs_without_improvement")
        self.best_bits_per_dim = tf.Variable(
            math.inf, dtype=tf.float64, trainable=False, name="best_bits_per_dim"
        )

    def add_images(self, num_images):
        """Counts the images of a step."""
        self.images_seen.assign_add(num_images)
        self.epoch_images.assign_add(num_images)

    def resize_epochs(self, epoch_size):
        """Counts epochs of another size from now on; of an unfinished one the images remain."""
        if int(self.epoch_size) != epoch_size:
            epoch, epoch_images = divmod(int(self.images_seen), epoch_size)
            self.epoch_size.assign(epoch_size)
            self.epoch.assign(epoch)
            self.epoch_images.assign(epoch_images)

    def end_epoch(self):
        """Counts an epoch."""
        self.epoch.assign_add(1)
        self.epoch_images.assign(0)

    def set_best(self, bits_per_dim):
        """Sets the best validation result; infinity lets the next one be the best."""
        self.best_bits_per_dim.assign(bits_per_dim)
        self.epochs_without_improvement.assign(0)

    def note(self, bits_per_dim):
        """Takes in a validation result; returns whether it is the best so far."""
        is_best = bits_per_dim < float(self.best_bits_per_dim)
        if is_best:
            self.set_best(bits_per_dim)
        else:
            self.epochs_without_improvement.assign_add(1)
        return is_best


def _counter(name, value=0):
    return tf.Variable(value, dtype=tf.int64, trainable=False, name=name)


class TrainingState:
    """Model, optimizer, average, progress and sums over the epoch, built in a strategy's scope.

    Args:
        config: the `RunConfig`.
        training: the `TrainingConfig`.
        epoch_size: images of an epoch, a multiple of the batch size.
        num_images: training images that the whole run sees.
        strategy: the `tf.distribute.Strategy`.
        train_dir: the training directory.

    Attributes:
        images_distribution: the `Dequantized` that is trained.
        distributions: it and, if there is one, the average of its weights, by their names in
            checkpoints, "model" and "average"; `evaluated` is the last of these.
        trainer: the compiled `DensityTrainer`.
        progress: a `TrainingProgress`.
        step: training steps done.
        num_epochs: how many epochs the whole run has.
    """

    def __init__(self, config, training, epoch_size, num_images, strategy, train_dir):
        self.training = training
        self.strategy = strategy
        self.num_epochs = -(-num_images // epoch_size)
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
            self.images_distribution = build_distribution(config, training.seed, training.execution)
            self.distributions = {"model": self.images_distribution}
            average = None
            if training.average_decay:
                self.distributions["average"] = build_distribution(
                    config, training.seed, training.execution
                )
                average = WeightAverage(*self.distributions.values(), training.average_decay)
            self.evaluated = list(self.distributions)[-1]
            optimizer = make_optimizer(training.optimizer, self._schedule)
            optimizer.build(self.images_distribution.trainable_variables)
            self.trainer = DensityTrainer(
                self.images_distribution,
                clip_norm=training.clip_norm,
                seed=training.seed,
                num_accumulated_parts=training.num_accumulated_parts,
                weight_average=average,
                prior_start_steps=self._prior_start_steps(),
            )
            self.trainer.compile(optimizer=optimizer, jit_compile=training.jit_compile)

    @property
    def latest_checkpoint(self):
        """The path of the newest checkpoint of the state, or None."""
        return next(iter(self._latest.paths()), None)

    @property
    def is_finished(self):
        """Whether all epochs are done, or too many were without improvement."""
        limit = self.training.early_stopping_epochs
        has_stalled = 0 < limit <= int(self.progress.epochs_without_improvement)
        return has_stalled or int(self.progress.epoch) >= self.num_epochs

    def initialize(self, batches, seed):
        """Sets ActNorm from the first global batches of training images, on every worker.

        Small batches give no statistics: as many are taken as make `MIN_INITIAL_IMAGES`.
        """
        self.images_distribution.initialize(_first_images(batches), seed)
        self._start_average()

    def copy_weights(self, images_distribution, batches, seed):
        """Sets the weights to those of another distribution of the same architecture.

        Where that has no dequantizer and this has, it is initialised from the first batches.
        """
        target, source = self.images_distribution, images_distribution
        if source.dequantizer is None and target.dequantizer is not None:
            target.dequantizer.initialize(_first_images(batches), seed)
            target, source = target.distribution, source.distribution
        for variable, value in zip(target.variables, source.variables, strict=True):
            variable.assign(tf.convert_to_tensor(value))
        self._start_average()

    def _prior_start_steps(self):
        """Steps in which the priors rest, or None; batches may have had another size before."""
        if not self.training.prior_start_images:
            return None
        left = self.training.prior_start_images - int(self.progress.images_seen)
        return self.step - (-max(left, 0) // self.training.batch_size)

    def _start_average(self):
        if self.trainer.weight_average is not None:
            self.trainer.weight_average.start()

    def restore(self, log):
        """Reads the newest checkpoint that is whole; damaged ones are set aside, the log tells.

        So are best weights that were written after it: what is trained from here on is another
        trajectory, which would find them again if they are its own.

        Returns:
            Whether there was one.

        Raises:
            RunError: if all are damaged, or the workers read different ones; nothing is changed.
        """
        path, damaged = self.read_latest()
        if path is None:
            return False
        for name, reason in damaged:
            log.warn(f"checkpoint {str(name)!r} is refused: {reason}")
            if self._is_chief:
                self._latest.set_aside(name)
        self._leave_later_best(path, log)
        self.progress.resize_epochs(self._epoch_size)
        if 0 < int(self.progress.epoch_images) < self._epoch_size:
            self.trainer.keep_epoch_sums()
        log.write(f"continuing after step {self.step}, from {path}")
        return True

    def read_latest(self):
        """Reads the newest checkpoint that is whole, and changes nothing in the directory.

        The next step is the one that follows it.

        Returns:
            `(path, damaged)`: of the checkpoint, None if there is none, and path and reason of each
            damaged one that it stands in for.

        Raises:
            RunError: as of `restore`.
        """
        path, damaged = self._restore_on_all_workers()
        if path is not None:
            self._schedule.first_step = self.step
            self._schedule.first_image = int(self.progress.images_seen)
            self.trainer.prior_start_steps = self._prior_start_steps()
        return path, damaged

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
        workers = gather_from_workers(self.strategy, [found, number])
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
        best = self._best.paths()
        later = [other for other in best if write_order(path) < write_order(other) < (math.inf, 0)]
        for other in later:
            log.write(f"best weights {str(other)!r} are of later steps, and set aside")
            if self._is_chief:
                self._best.set_aside(other, mark="left")
        if len(later) == len(best) and math.isfinite(float(self.progress.best_bits_per_dim)):
            log.warn("the best weights so far are gone: the next evaluation starts anew")
            self.progress.set_best(math.inf)

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
        status = self._checkpoint(self.distributions.keys() & (saved | {"model"})).read(prefix)
        if "average" in saved - self.distributions.keys():
            status.assert_existing_objects_matched().expect_partial()
        else:
            status.assert_consumed()
        if "average" not in saved:
            self._start_average()

    def _checkpoint(self, names):
        """Of the state, with some of the distributions."""
        return tf.train.Checkpoint(
            optimizer=self.trainer.optimizer,
            progress=self.progress,
            epoch_sums=self.trainer.epoch_sums,
            **self._objects(names),
        )

    def _objects(self, names):
        """What checkpoints hold of some of the distributions."""
        objects = {}
        for name in names:
            objects |= checkpoint_objects(name, self.distributions[name])
        return objects

    def save_latest(self):
        """Saves the state; raises a `RunError` if it cannot be written."""
        if self._is_chief:
            self._latest.save(self._checkpoint(self.distributions), self.step)

    def save_best(self, name):
        """Saves the weights of one of the `distributions` as the best; errors as above."""
        if self._is_chief:
            self._best.save(tf.train.Checkpoint(**self._objects([name])), self.step)


def _first_images(batches):
    """The first batches of images that make `MIN_INITIAL_IMAGES`, as one, without labels."""
    if isinstance(batches.element_spec, tuple):
        batches = batches.map(lambda pixels, label: pixels)
    num_batches = -(-MIN_INITIAL_IMAGES // batches.element_spec.shape[0])
    return tf.concat(list(batches.take(num_batches)), axis=0)

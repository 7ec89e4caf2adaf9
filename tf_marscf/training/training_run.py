"""A training run, from data to results."""

import dataclasses
import json
import os

import keras
import tensorflow as tf

from tf_marscf.atomic_file import atomic_write
from tf_marscf.config import MarScfConfig
from tf_marscf.data import (
    collect_images,
    evaluation_pipeline,
    load_configured_dataset,
    training_pipeline,
)
from tf_marscf.distributions import Dequantized
from tf_marscf.errors import NonFiniteLossError, RunError
from tf_marscf.evaluation.bits_per_dim import evaluate_bits_per_dim
from tf_marscf.evaluation.sample_picture import save_sample_picture
from tf_marscf.flow import MarScf
from tf_marscf.run_config import PixelConfig, RunConfig
from tf_marscf.training.callbacks import SaveCheckpoints, SaveSamples
from tf_marscf.training.checkpoints import checkpoint_manager, checkpoint_prefix, restore_model
from tf_marscf.training.density_trainer import DensityTrainer
from tf_marscf.training.warm_up_schedule import WarmUpSchedule

RESULTS_FILE = "results.json"
SAMPLES_FILE = "samples.png"
_VERBOSITY = {"auto": "auto", "bar": 1, "line": 2, "none": 0}


class TrainingRun:
    """Trains a model, evaluates the best checkpoint on the test set, and draws samples.

    The constructor loads the data and checks all arguments; nothing is written before `run`. A
    directory that already holds a run of the same model and data is continued after its last
    whole epoch.

    Args:
        train_dir: where everything is written: `config.json`, `checkpoints/`, `logs/`
            (TensorBoard), `samples/`, `samples.png` and `results.json`.
        data: a `DataConfig`.
        model_options: dict, arguments of `MarScfConfig` but for `image_shape`.
        training: a `TrainingConfig`.
        published_scaling: whether to scale pixels as the published code does.
        progress: "auto", "bar", "line" or "none": what is printed of each epoch.

    Raises:
        DataUnavailableError: if the data cannot be had.
        RunError: if the directory holds a run of another model or data set.
        ValueError: if an argument is out of range.
    """

    def __init__(
        self, train_dir, data, model_options, training, published_scaling=False, progress="auto"
    ):
        if progress not in _VERBOSITY:
            raise ValueError(f"`progress` must be one of {tuple(_VERBOSITY)}; got {progress!r}.")
        self._train_dir = train_dir
        self._training = training
        self._verbosity = _VERBOSITY[progress]
        self._dataset = load_configured_dataset(data)
        num_images = self._dataset.num_train_images
        if num_images < training.batch_size:
            raise ValueError(
                f"`batch_size` must be at most the {num_images} training images of {data.name}; "
                f"got {training.batch_size}."
            )
        self._config = RunConfig(
            model=MarScfConfig(image_shape=self._dataset.image_shape, **model_options),
            pixels=PixelConfig(
                num_grey_levels=self._dataset.num_grey_levels, published_scaling=published_scaling
            ),
            data=data,
            training=dataclasses.asdict(training),
        )
        self._steps_per_epoch = num_images // training.batch_size
        if checkpoint_prefix(train_dir, "latest") is not None:
            self._check_same_run(RunConfig.load(train_dir))

    @property
    def config(self):
        """The `RunConfig` that is saved in the directory."""
        return self._config

    def run(self):
        """Trains, evaluates and draws samples.

        Returns:
            A dict of results: what `results.json` holds.

        Raises:
            NonFiniteLossError: if loss or gradient become NaN or infinite; the checkpoints of the
                epochs before stay.
        """
        self._config.save(self._train_dir)
        self._fit()
        return self._write_results()

    def _check_same_run(self, earlier):
        for name in ("model", "pixels", "data"):
            before = dataclasses.asdict(getattr(earlier, name))
            now = dataclasses.asdict(getattr(self._config, name))
            changed = [
                f"{field} was {before[field]!r} and is {now[field]!r}"
                for field in before
                if before[field] != now[field]
            ]
            if changed:
                raise RunError(
                    f"`train_dir` {self._train_dir!r} holds a run with another {name}: "
                    f"{', '.join(changed)}. Give another directory, or the arguments of that run "
                    "to continue it."
                )

    def _path(self, name):
        return os.path.join(self._train_dir, name)

    def _build(self):
        """The distribution and the optimizer, with fresh weights."""
        model = MarScf.from_config(self._config.model, seed=self._training.seed)
        pixels = dataclasses.asdict(self._config.pixels)
        training = self._training
        num_steps = training.num_epochs * self._steps_per_epoch
        optimizer = keras.optimizers.Adamax(
            WarmUpSchedule(
                training.learning_rate,
                warm_up_steps=training.warm_up_images / training.batch_size,
                decay_steps=num_steps if training.decay == "cosine" else None,
            )
        )
        optimizer.build(model.trainable_variables)
        return Dequantized(model, **pixels), optimizer

    def _fit(self):
        """Runs the epochs that are left."""
        training = self._training
        images_distribution, optimizer = self._build()
        model = images_distribution.distribution
        best_bits_per_dim = tf.Variable(float("inf"), dtype=tf.float64, trainable=False)
        latest = checkpoint_manager(
            self._train_dir, "latest", model=model, optimizer=optimizer, best=best_bits_per_dim
        )
        best = checkpoint_manager(self._train_dir, "best", model=model)
        if latest.latest_checkpoint:
            latest.checkpoint.restore(latest.latest_checkpoint).assert_consumed()
        step = int(optimizer.iterations.numpy())
        batches = training_pipeline(
            self._dataset.train,
            training.batch_size,
            training.seed,
            training.augmentation,
            first_step=step,
        )
        if not latest.latest_checkpoint:
            # ActNorm is set from the first training batch, as published.
            first_batch = next(iter(batches))
            model.initialize(images_distribution.dequantize(first_batch, seed=training.seed))
        trainer = DensityTrainer(images_distribution, training.clip_norm, training.seed)
        trainer.compile(optimizer=optimizer, jit_compile=False)
        validation = None
        if self._dataset.validation is not None:
            validation = evaluation_pipeline(
                self._dataset.validation, training.evaluation_batch_size
            )
        callbacks = [
            SaveCheckpoints(latest, best, best_bits_per_dim),
            keras.callbacks.TensorBoard(self._path("logs"), write_graph=False, profile_batch=0),
            SaveSamples(
                self._path("samples"),
                images_distribution,
                self._real_images(),
                training.sample_every,
                training.seed,
            ),
        ]
        try:
            trainer.fit(
                batches,
                epochs=training.num_epochs,
                initial_epoch=step // self._steps_per_epoch,
                steps_per_epoch=self._steps_per_epoch,
                validation_data=validation,
                shuffle=False,  # The pipeline shuffles.
                verbose=self._verbosity,
                callbacks=callbacks,
            )
        except tf.errors.InvalidArgumentError as error:
            if "is not finite" not in error.message:
                raise
            cause = next(line for line in error.message.splitlines() if "is not finite" in line)
            raise NonFiniteLossError(
                f"training stopped after step {int(optimizer.iterations.numpy())}: "
                f"{cause.strip()}. Last good checkpoint: {latest.latest_checkpoint or 'none yet'}. "
                "Try a lower learning_rate or clip_norm, or a longer warm_up_images."
            ) from error

    def _real_images(self):
        return collect_images(self._dataset.test, self._training.num_sample_images)

    def _write_results(self):
        """Scores the best checkpoint on the test set, draws samples and writes the results."""
        images_distribution = restore_model(self._config, self._train_dir, "best")
        test = evaluate_bits_per_dim(
            images_distribution,
            evaluation_pipeline(self._dataset.test, self._training.evaluation_batch_size),
        )
        save_sample_picture(
            self._path(SAMPLES_FILE),
            images_distribution,
            self._real_images(),
            seed=self._training.seed,
        )
        variables = images_distribution.distribution.trainable_variables
        results = {
            "test_bits_per_dim": test.mean,
            "test_bits_per_dim_standard_error": test.standard_error,
            "num_test_images": test.num_images,
            "num_parameters": sum(variable.shape.num_elements() for variable in variables),
        }
        with atomic_write(self._path(RESULTS_FILE)) as file:
            file.write((json.dumps(results, indent=2) + "\n").encode())
        return results

"""A training run, from data to results."""

import os

from tf_marscf.config_fields import fields_with_flags
from tf_marscf.data import (
    collect_images,
    evaluation_pipeline,
    load_configured_dataset,
)
from tf_marscf.errors import InputError
from tf_marscf.evaluation.bits_per_dim import evaluate_bits_per_dim
from tf_marscf.files.atomic_file import write_json
from tf_marscf.files.paths import local_path
from tf_marscf.runs.trained_model import restore_model
from tf_marscf.sampling.sample_stream import SampleStream
from tf_marscf.training.callbacks import (
    CountSteps,
    SaveCheckpoints,
    SaveSamples,
    ShowProgress,
    keras_verbosity,
    try_to_save_picture,
)
from tf_marscf.training.run_directory import (
    RESULTS_FILE,
    RunLog,
    changes_of,
    run_lock,
)
from tf_marscf.training.run_settings import check_settings
from tf_marscf.training.stop_signals import StopSignals
from tf_marscf.training.strategies import make_strategy
from tf_marscf.training.training_log import TrainingLog
from tf_marscf.training.training_loop import run_epochs, training_batches
from tf_marscf.training.training_state import TrainingState
from tf_marscf.training.workers import Workers

SAMPLES_FILE = "samples.png"
_SAMPLE_BATCH_SIZE = 64


class TrainingRun:
    """Trains a model, evaluates the best checkpoint on the test set, and draws samples.

    The constructor loads the data and checks all arguments; nothing is written before `run`. A run
    of the same model and data in the directory is continued after its latest checkpoint, with the
    numbers of one that was never interrupted.

    Args:
        train_dir: where everything is written: `config.json`, `run.log`, `checkpoints/`, `logs/`
            (TensorBoard), `samples/`, `samples.png` and `results.json`.
        data: a `DataConfig`.
        model_options: dict, arguments of `MarScfConfig` but for `image_shape`.
        training: a `TrainingConfig`.
        published_scaling: whether to scale pixels as the published code does.
        initial_weights: directory whose best weights the run starts from, such as an import: model
            and pixel scaling are those of the directory. None: random weights.
        progress: what is printed meanwhile: "line", lines; "bar" or "auto", a bar on a terminal,
            else lines; "none", nothing.
        note: a line for `run.log`, such as where the arguments come from; None for none.
        dequantization: a `DequantizationConfig`; default: that of `initial_weights`, or uniform.
            A variational one may start from the weights of a uniform one: it starts as that.

    Attributes:
        config: the `RunConfig` that is saved in the directory.

    Raises:
        DataUnavailableError: if the data cannot be had.
        RunError: if the directory holds a run of another model or data set.
        ValueError: if an argument is out of range.
    """

    def __init__(
        self,
        train_dir,
        data,
        model_options,
        training,
        published_scaling=False,
        initial_weights=None,
        progress="auto",
        note=None,
        dequantization=None,
    ):
        verbosity = keras_verbosity(progress)
        train_dir = local_path("train_dir", train_dir)
        if initial_weights is not None:
            initial_weights = local_path("initial_weights", initial_weights)
        if os.path.exists(train_dir) and not os.path.isdir(train_dir):
            raise InputError(f"`train_dir` must be a directory; {train_dir!r} is a file.")
        self._train_dir = train_dir
        self._note = note
        self._training = training
        self._strategy = make_strategy(training.strategy)
        self._workers = Workers(self._strategy)
        self._is_chief = self._workers.is_chief
        self._verbosity = verbosity if self._is_chief else 0
        training.check_num_replicas(self._strategy.num_replicas_in_sync)
        self._dataset = load_configured_dataset(data)
        self._initial_weights = initial_weights
        settings = check_settings(
            self._dataset,
            train_dir,
            data,
            model_options,
            training,
            published_scaling,
            initial_weights,
            dequantization,
        )
        self.config, self._source = settings.config, settings.source
        self._earlier = settings.earlier
        num_images = self._dataset.num_train_images
        steps_per_pass = num_images // training.batch_size
        self._num_steps = training.num_steps(num_images)
        self._steps_per_epoch = min(training.evaluate_every or steps_per_pass, self._num_steps)
        self._num_sample_images = min(training.num_sample_images, self._dataset.num_test_images)
        with self._workers.needed():
            self._workers.check_same(self._settings())

    def run(self, signals=None):
        """Trains, evaluates and draws samples.

        Without entered `StopSignals`, SIGTERM and SIGINT are handled while this method runs.

        Returns:
            What `results.json` holds, a dict; None in a worker that is not the first.

        Raises:
            NonFiniteLossError: if loss or gradient become NaN or infinite; the last good
                checkpoint stays.
            RunError: if another process has the directory, it cannot be written to, or another
                worker ended.
            StoppedError: after SIGTERM or SIGINT; the state is saved.
        """
        if signals is None:
            with StopSignals() as signals:
                return self.run(signals)
        with self._workers.needed():
            if not self._is_chief:
                self._fit(RunLog(None), signals)
                return None
            with run_lock(self._train_dir):
                log = RunLog(self._train_dir)
                if self._note is not None:
                    log.write(self._note)
                self._fit(log, signals)
                return self._write_results(log)

    def _settings(self):
        """What must be the same on all workers, by name, as JSON can hold it."""
        config, dataset = self.config, self._dataset
        parts = (config.model, config.pixels, config.dequantization, config.data, self._training)
        settings = {
            flag: part.to_dict().get(field.name)
            for part in parts
            for field, flag in fields_with_flags(type(part))
            if flag != "data_dir"  # Where the data lie does not change what they are.
        }
        return settings | {
            "initial_weights": self._initial_weights is not None,
            "image_shape": list(dataset.image_shape),
            "num_grey_levels": dataset.num_grey_levels,
            "num_train_images": dataset.num_train_images,
            "num_validation_images": dataset.num_validation_images,
            "class_names": config.data.class_names,
        }

    def _path(self, name):
        return os.path.join(self._train_dir, name)

    def _fit(self, log, signals):
        """Runs the epochs that are left."""
        batch_size = self._training.batch_size
        state = TrainingState(
            self.config,
            self._training,
            self._steps_per_epoch * batch_size,
            self._num_steps * batch_size,
            self._strategy,
            self._train_dir,
        )
        is_restored = state.restore(log)
        if self._is_chief:
            earlier = self._earlier.training if self._earlier is not None else {}
            for text in changes_of(earlier, self.config.training):
                log.write(f"changed: {text}")
            self.config.save(self._train_dir)
        if not is_restored:
            self._start(state, log)
        compiled = "compiled" if state.trainer.compiles_steps else "not compiled"
        log.write(f"steps are {compiled} by XLA (jit_compile={self._training.jit_compile})")
        callbacks = self._callbacks(state, log, signals)
        with signals.deferred():
            run_epochs(self._dataset, state, callbacks, self._verbosity)

    def _start(self, state, log):
        """Sets the weights of a new run."""
        text = f"starting with {self._dataset.num_train_images} training images"
        for note in self._dataset.notes:
            log.write(note)
        if self.config.data.class_names is not None:
            log.write(self._dataset.classes.line())
        batches = training_batches(self._dataset, state)
        if self._initial_weights is None:
            log.write(text)
            # ActNorm is set from the first training batch, as published, if that is not small.
            with self._strategy.scope():
                state.initialize(batches, self._training.seed)
            return
        log.write(f"{text}, from the weights in {self._initial_weights}")
        source = restore_model(self._source, self._initial_weights, argument="initial_weights")
        with self._strategy.scope():
            state.copy_weights(source, batches, self._training.seed)

    def _callbacks(self, state, log, signals):
        callbacks = [CountSteps(state)]
        if self._is_chief:
            training = self._training
            logs = TrainingLog(self._path("logs"), state, training.batch_size, training.log_every)
            samples = SaveSamples(
                self._path("samples"),
                self._stream(state.distributions[state.evaluated]),
                self._real_images(),
                training.sample_every,
                log,
                logs.log_picture,
            )
            callbacks += [logs, samples]
        if self._verbosity:
            callbacks.append(ShowProgress(state, self._num_steps, self._verbosity == 1))
        return [*callbacks, SaveCheckpoints(state, signals)]

    def _stream(self, images_distribution):
        batch_size = min(self._num_sample_images, _SAMPLE_BATCH_SIZE)
        return SampleStream(
            images_distribution,
            self._training.seed,
            batch_size,
            jit_compile=self._training.jit_compile,
        )

    def _real_images(self):
        return collect_images(self._dataset.test, self._num_sample_images)

    def _write_results(self, log):
        """Scores the best checkpoint on the test set, draws samples and writes the results."""
        images_distribution = restore_model(self.config, self._train_dir, "best")
        test = evaluate_bits_per_dim(
            images_distribution,
            evaluation_pipeline(
                self._dataset.examples("test", self.config.model.num_classes),
                self._training.evaluation_batch_size,
            ),
            jit_compile=self._training.jit_compile,
        )
        results = {
            "test_bits_per_dim": test.mean,
            "test_bits_per_dim_standard_error": test.standard_error,
            "num_test_images": test.num_images,
            "num_parameters": self.config.num_parameters,
        }
        write_json(self._path(RESULTS_FILE), results)
        try_to_save_picture(
            self._path(SAMPLES_FILE),
            self._stream(images_distribution),
            self._real_images(),
            log,
        )
        log.write(
            f"test bits/dim {test} "
            f"({test.num_images} images, {results['num_parameters']} parameters); results, samples "
            f"and checkpoints: {self._train_dir}"
        )
        return results

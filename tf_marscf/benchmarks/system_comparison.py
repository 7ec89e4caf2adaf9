"""Several systems on the same work: density, samples, seconds and memory, in one table."""

import dataclasses
import os

import tf_keras

from tf_marscf.benchmarks.comparison_models import matched_width, model_of_width
from tf_marscf.benchmarks.comparison_trainer import ComparisonTrainer
from tf_marscf.benchmarks.model_kinds import MODEL_KINDS, MODEL_LABELS
from tf_marscf.benchmarks.model_process import MeasuredModel, write_weights
from tf_marscf.benchmarks.resumable_training import TrainingBudget, train_in_turns
from tf_marscf.benchmarks.system_comparison_figures import (
    draw_comparison,
    draw_samples,
    samples_size,
)
from tf_marscf.benchmarks.system_comparison_table import (
    COLUMNS,
    markdown,
    note_other_counts,
    score_text,
    table_row,
)
from tf_marscf.benchmarks.system_measurement import measure_by_turns
from tf_marscf.benchmarks.system_scores import SystemScorer
from tf_marscf.benchmarks.trained_models_benchmark import TrainedModelsBenchmark
from tf_marscf.data import collect_images
from tf_marscf.errors import InputError
from tf_marscf.figures import save_figure
from tf_marscf.files.atomic_file import atomic_write, write_csv
from tf_marscf.rules import entries, integer, list_of, optional, text
from tf_marscf.sampling.image_grid import check_drawable

_MODEL = text(*MODEL_LABELS)
_LINE = "{:>5}{:>9}{:>10}  {:<37}{:>11}  {}"
_HEADER = ("done", "step", "seconds", "model", "parameters", "held-out bits/dim")
_CURVE_COLUMNS = (
    "model",
    "width",
    "num_parameters",
    "num_dequantizer_parameters",
    "sequential_steps",
    "step",
    "training_seconds",
    "bits_per_dim",
    "standard_error",
    "stopped",
)
_NUM_PICTURES = 25  # Samples of each model in the picture.


class SystemComparison(TrainedModelsBenchmark):
    """Trains each system for the same budget, draws samples of it, and measures both.

    The models take turns of `config.evaluate_every` steps, and later of one batch of samples and
    densities, so that whatever else the machine does hits all of them. For the latter each is in a
    process of its own. One that breaks has a row that says why, and the others go on.

    `compare.csv` and `.md` are the table, `compare_curves.csv` all evaluations, `compare.json` both
    and `compare.png` density against sampling time; `compare_samples.png` are samples, side by
    side. Trainings, weights and measurements stay, in `compare_trainings`: killed, or with more
    models or a larger budget, the next comparison in the same directory goes on with them.

    Args:
        config: a `SystemComparisonConfig`.
        output_dir: directory of the files; created if missing.

    Raises:
        DataUnavailableError: if the data cannot be had.
        InputError: if `output_dir` is no directory, or an argument does not suit the data.
    """

    name = "compare"
    figure_size = (9.0, 5.4)
    failure = (
        "failed: {}. All other models are measured, and all files are written; the same command "
        "tries again."
    )
    rules = {
        "config": entries(
            models=list_of(_MODEL, 1), dataset=text(), measured_batch_size=integer(1)
        ),
        "data": entries(image_shape=list_of(integer(1), 3), num_evaluation_images=integer(1)),
        "quality": entries(
            extractor=optional(text()),
            note=optional(text()),
            num_samples=integer(),
            num_reference_images=integer(),
        ),
        "failed": list_of(text()),
    }
    columns = COLUMNS
    free_fields = (
        *TrainedModelsBenchmark.free_fields,
        "models",
        # Of what is measured once the models are trained.
        "num_samples",
        "equal_samples",
        "measured_batch_size",
        "max_sampling_seconds",
        "kid_block_size",
        "classifier_steps",
        "feature_layer",
        "pixel_range",
    )

    def __init__(self, config, output_dir):
        super().__init__(config, output_dir)
        shape = self._dataset.image_shape
        config.mar_scf_config(shape, config.num_levels)
        check_drawable(shape, "dataset")
        batch_size, num_images = config.measured_batch_size, self._num_evaluation_images
        if batch_size > num_images:
            raise InputError(
                f"`measured_batch_size` must be at most the {num_images} test images that are "
                f"scored; got {batch_size}."
            )

    def measure(self, report):
        """The dict of "data", "rows", "curves", "quality" and "failed".

        "rows", one a model, have the entries of `columns`; "curves" are all evaluations, "quality"
        the facts of a `SystemScorer`, and "failed" texts, one a model that ended with an error.
        """
        config = self._config
        scorer = SystemScorer.from_config(
            config,
            self._dataset,
            self._num_evaluation_images,
            self._trainings_directory,
            report,
        )
        trainings = {kind: self._training_of(kind) for kind in config.models}
        self._train(trainings, report)
        trained = {kind: one for kind, one in trainings.items() if one.rows and not one.failed}
        measurements = self._measure_trained(trained, report)
        counts = [one.num_drawn for one in measurements.values() if one.num_drawn]
        num_samples = min(config.num_samples, *counts) if counts else 0
        self._pictures, rows = {}, []
        for kind, training in trainings.items():
            row = dict.fromkeys(self.columns) | table_row(
                kind, training, measurements.get(kind), config
            )
            num_drawn = 0 if kind not in measurements else measurements[kind].num_drawn
            if num_drawn:
                num_scored = num_samples if config.equal_samples else config.num_samples
                images, num_non_finite = measurements[kind].first_samples(num_scored)
                row |= {"num_samples": len(images), "num_non_finite": num_non_finite}
                row |= scorer.score(images)
                self._pictures[MODEL_LABELS[kind]] = images[:_NUM_PICTURES]
            rows.append(row)
        note_other_counts(rows)
        return {
            "data": self._data_facts(),
            "rows": rows,
            "curves": [row for training in trainings.values() for row in training.rows],
            "quality": scorer.facts(num_samples),
            "failed": [
                f"{MODEL_LABELS[kind]}: {one.failed}"
                for kind, one in (*trainings.items(), *measurements.items())
                if one.failed
            ],
        }

    def _train(self, trainings, report):
        config = self._config
        budget = TrainingBudget(
            config.num_training_steps, config.training_seconds, config.evaluate_every, False
        )
        report(_LINE.format(*_HEADER))
        for training in trainings.values():
            if training.steps:
                report(f"{training.name}: going on after step {training.steps}")
        for training, rows in train_in_turns(list(trainings.values()), budget, carries_on=True):
            shares = [one.share(budget) for one in trainings.values()]
            report(_line(training, rows, sum(shares) / len(shares)))
            if training.share(budget) == 1.0:
                training.release()

    def _measure_trained(self, trained, report):
        """`SystemMeasurement`s by kind."""
        config = self._config
        images = collect_images(self._evaluation_images, config.measured_batch_size)
        models = {
            kind: MeasuredModel(
                kind,
                training.rows[-1]["width"],
                config,
                self._dataset.num_grey_levels,
                _weights_path(training),
                images,
            )
            for kind, training in trained.items()
        }
        directory = self._trainings_directory
        return measure_by_turns(
            models, config.num_samples, config.max_sampling_seconds, directory, report
        )

    def _training_of(self, kind):
        config, shape = self._config, self._dataset.image_shape
        decays = [config.average_decay] if config.average_decay else []

        def make_trainer():
            # TFP's models take no seed: this one makes each the same, whichever others there are.
            tf_keras.utils.set_random_seed(config.seed)
            width = matched_width(kind, config, shape, config.num_levels)
            num_grey_levels = self._dataset.num_grey_levels
            model = model_of_width(kind, width, config, shape, config.num_levels, num_grey_levels)
            return ComparisonTrainer(
                model, self._dataset, self._evaluation_images, config, average_decays=decays
            )

        def make_rows(trainer):
            mean, error = trainer.evaluate(config.average_decay)
            with atomic_write(_weights_path(training)) as file:
                write_weights(file, trainer.weights(config.average_decay))
            values = (
                kind,
                trainer.model.width,
                trainer.model.num_parameters,
                trainer.num_dequantizer_parameters,
                trainer.model.num_sampling_steps,
                trainer.steps,
                trainer.seconds,
                mean,
                error,
                trainer.stopped,
            )
            return [dict(zip(_CURVE_COLUMNS, values, strict=True))]

        facts = {"model": kind} | dataclasses.asdict(MODEL_KINDS[kind])
        training = self._training(kind, facts, make_trainer, make_rows)
        return training

    @classmethod
    def check(cls, result):
        """As of every benchmark."""
        super().check(result)
        cls.check_models(result)
        if len(result["data"]["image_shape"]) != 3:
            raise InputError("image_shape must be height, width and channels.")

    def _write_measured(self, measured, report):
        panels = self._pictures | {
            "test images": collect_images(
                self._evaluation_images, min(_NUM_PICTURES, self._num_evaluation_images)
            )
        }
        save_figure(
            os.path.join(self._output_dir, f"{self.name}_samples.png"),
            lambda figure: draw_samples(figure, panels, self._dataset.num_grey_levels),
            samples_size(len(panels)),
        )
        result = super()._write_measured(measured, report)
        for line in markdown(result).splitlines():
            report(line)
        return result

    @classmethod
    def write_tables(cls, directory, result):
        """Writes the table as CSV and Markdown, and all evaluations as CSV."""
        super().write_tables(directory, result)
        write_csv(directory / f"{cls.name}_curves.csv", _CURVE_COLUMNS, result["curves"])
        with atomic_write(directory / f"{cls.name}.md") as file:
            file.write(markdown(result).encode())

    @staticmethod
    def draw(figure, result):
        """Draws held-out bits/dim against seconds of a sample, each model a point."""
        draw_comparison(figure, result)


def _weights_path(training):
    return f"{training.directory}_weights.npz"


def _line(training, rows, done):
    count, text = "", f"failed: {training.failed}"
    if rows:
        (row,) = rows
        count, text = f"{row['num_parameters']:,}", score_text(row, "bits_per_dim", ".4f")
        text += f"  stopped: {training.stopped}" if training.stopped else ""
    label = MODEL_LABELS[training.name]
    seconds = f"{training.seconds:.1f}"
    return _LINE.format(f"{done:.0%}", training.steps, seconds, label, count, text)

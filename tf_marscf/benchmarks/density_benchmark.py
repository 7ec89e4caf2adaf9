"""Held-out bits/dim against seconds and against steps of training, of several models."""

import dataclasses

import numpy as np
import tf_keras

from tf_marscf.benchmarks.comparison_models import matched_models
from tf_marscf.benchmarks.comparison_trainer import ComparisonTrainer
from tf_marscf.benchmarks.model_kinds import MODEL_KINDS, MODEL_LABELS
from tf_marscf.benchmarks.resumable_training import TrainingBudget, train_in_turns
from tf_marscf.benchmarks.trained_models_benchmark import TrainedModelsBenchmark
from tf_marscf.errors import InputError
from tf_marscf.files.atomic_file import remove_directory
from tf_marscf.rules import entries, integer, list_of, number, optional, text

_MODEL = text(*MODEL_LABELS)
_LINE = "{:<37}{:>6}{:>12}{:>7}{:>10}  {}"
_HEADER = ("model", "width", "parameters", "step", "seconds", "held-out bits/dim")
_AXES = {"step": "training steps", "training_seconds": "seconds of training"}


class DensityBenchmark(TrainedModelsBenchmark):
    """Trains each model on the same batches and scores it on the same held-out images.

    The models take turns of `config.evaluate_every` steps, so that whatever else the machine does
    hits all of them. Evaluations, and the compilation of a step, do not count as training time.
    When the files are written, the trainings are removed.

    Args:
        config: a `DensityBenchmarkConfig`.
        output_dir: directory of the files; created if missing.

    Raises:
        DataUnavailableError: if the data cannot be had.
        InputError: if `output_dir` is no directory, or an argument does not suit the data.
    """

    name = "density"
    rules = {
        "config": entries(models=list_of(_MODEL, 1), dataset=text()),
        "data": entries(image_shape=list_of(integer(1), 3), num_evaluation_images=integer(1)),
    }
    columns = {
        "model": _MODEL,
        "width": None,
        "num_parameters": integer(1),
        "step": integer(),
        "training_seconds": number(0.0),
        "bits_per_dim": optional(number()),
        "standard_error": optional(number(0.0)),
        "stopped": optional(text()),
    }

    free_fields = (*TrainedModelsBenchmark.free_fields, "models")

    def __init__(self, config, output_dir):
        super().__init__(config, output_dir)
        config.mar_scf_config(self._dataset.image_shape, config.num_levels)

    def run(self, report=print):
        """As of every benchmark."""
        result = super().run(report)
        remove_directory(self._trainings_directory)
        return result

    def measure(self, report):
        """The dict of "data", what is known of the images, and of "rows".

        A row, one an evaluation, has the entries of `columns`. "bits_per_dim" is the mean over
        images, "standard_error" from the spread between them; "stopped" is None, or why the
        training of the model ended before its budget: a loss, gradient or score that is not finite
        (the last with no "bits_per_dim").
        """
        config = self._config
        # The networks of tfb.Glow take no seed of their own.
        tf_keras.utils.set_random_seed(config.seed)
        models = matched_models(
            config,
            self._dataset.image_shape,
            config.num_levels,
            num_grey_levels=self._dataset.num_grey_levels,
        )
        trainings = [self._training_of(model) for model in models]
        report(_LINE.format(*_HEADER))
        rows = [row for training in trainings for row in training.rows]
        for row in rows:
            report(_table_line(row))
        budget = TrainingBudget(
            config.num_training_steps, config.training_seconds, config.evaluate_every, False
        )
        for _, new_rows in train_in_turns(trainings, budget):
            rows += new_rows
            for row in new_rows:
                report(_table_line(row))
        return {"data": self._data_facts(), "rows": rows}

    def _training_of(self, model):
        def make_trainer():
            return ComparisonTrainer(model, self._dataset, self._evaluation_images, self._config)

        facts = {"model": model.kind} | dataclasses.asdict(MODEL_KINDS[model.kind])
        return self._training(model.kind, facts, make_trainer, lambda trainer: [_row(trainer)])

    @classmethod
    def check(cls, result):
        """As of every benchmark."""
        super().check(result)
        cls.check_models(result)
        if len(result["data"]["image_shape"]) != 3:
            raise InputError("image_shape must be height, width and channels.")

    @staticmethod
    def draw(figure, result):
        """Draws held-out bits/dim against steps (left) and against seconds of training (right).

        Bands are one standard error over the held-out images; all models are scored on the same
        images, so their differences are less uncertain. New models, at step 0, are in the table and
        not drawn: their bits/dim would flatten all else.
        """
        panels = dict(zip(_AXES, figure.subplots(1, 2, sharey=True), strict=True))
        notes = []
        for kind in result["config"]["models"]:
            of_kind = [row for row in result["rows"] if row["model"] == kind]
            scored = [row for row in of_kind if row["bits_per_dim"] is not None]
            trained = [row for row in scored if row["step"] > 0]
            label = f"{MODEL_LABELS[kind]}, {of_kind[-1]['num_parameters']:,} parameters"
            bits = np.array([row["bits_per_dim"] for row in trained])
            errors = np.array([row["standard_error"] or 0.0 for row in trained])
            for name, axes in panels.items():
                x = [row[name] for row in trained]
                (line,) = axes.plot(x, bits, marker=".", label=label if name == "step" else None)
                band = {"color": line.get_color(), "alpha": 0.15, "linewidth": 0}
                axes.fill_between(x, bits - errors, bits + errors, **band)
            if of_kind[-1]["stopped"]:
                notes.append(f"{MODEL_LABELS[kind]} stopped: {of_kind[-1]['stopped']}.")
        panels["step"].set_ylabel("held-out bits/dim")
        for name, axes in panels.items():
            axes.set_xlabel(_AXES[name])
            axes.set_xlim(left=0)
        if notes:
            figure.supxlabel("\n".join(notes), fontsize="small")
        height, width, channels = result["data"]["image_shape"]
        num_bits = result["config"].get("num_bits")
        figure.legend(
            loc="outside upper center",
            ncols=2,
            fontsize="small",
            title=f"{result['config']['dataset']}, {height}x{width}x{channels}, "
            f"{f'{num_bits} bits, ' if num_bits else ''}"
            f"{result['data']['num_evaluation_images']:,} held-out images",
        )


def _row(trainer):
    mean, standard_error = trainer.evaluate()
    return {
        "model": trainer.model.kind,
        "width": trainer.model.width,
        "num_parameters": trainer.model.num_parameters,
        "step": trainer.steps,
        "training_seconds": trainer.seconds,
        "bits_per_dim": mean,
        "standard_error": standard_error,
        "stopped": trainer.stopped,
    }


def _table_line(row):
    score = "-" if row["bits_per_dim"] is None else f"{row['bits_per_dim']:.4f}"
    if row["standard_error"] is not None:
        score += f" +- {row['standard_error']:.4f}"
    if row["stopped"]:
        score += f"  stopped: {row['stopped']}"
    return _LINE.format(
        MODEL_LABELS[row["model"]],
        row["width"],
        f"{row['num_parameters']:,}",
        row["step"],
        f"{row['training_seconds']:.1f}",
        score,
    )

"""Held-out bits/dim against seconds and against steps of training, of several models."""

import math

from tf_marscf.benchmarks.benchmark_output import benchmark_facts, write_benchmark
from tf_marscf.benchmarks.comparison_configs import MODEL_LABELS
from tf_marscf.benchmarks.comparison_models import matched_models
from tf_marscf.benchmarks.comparison_trainer import ComparisonTrainer
from tf_marscf.benchmarks.density_figure import SIZE, draw_density_curves
from tf_marscf.data import load_configured_dataset
from tf_marscf.errors import InputError
from tf_marscf.files.paths import output_directory

COLUMNS = (
    "model",
    "width",
    "num_parameters",
    "step",
    "training_seconds",
    "bits_per_dim",
    "standard_error",
    "stopped",
)


class DensityBenchmark:
    """Trains each model on the same batches and scores it on the same held-out images.

    The models take turns of `config.evaluate_every` steps, so that whatever else the machine does
    hits all of them. Evaluations, and the compilation of a step, do not count as training time.

    Args:
        config: a `DensityBenchmarkConfig`.
        output_dir: directory of the files; created if missing.

    Raises:
        DataUnavailableError: if the data cannot be had.
        InputError: if `output_dir` is no directory, or an argument does not suit the data.
    """

    def __init__(self, config, output_dir):
        self._output_dir = output_directory("output_dir", output_dir)
        self._config = config
        self._dataset = dataset = load_configured_dataset(config.data)
        if dataset.num_train_images < config.batch_size:
            raise InputError(
                f"`batch_size` must be at most the {dataset.num_train_images} training images of "
                f"{config.dataset}; got {config.batch_size}."
            )
        config.mar_scf_config(dataset.image_shape, config.num_levels)
        self._num_evaluation_images = min(
            config.num_evaluation_images or dataset.num_test_images, dataset.num_test_images
        )

    def run(self, report=print):
        """Runs the benchmark and writes `density.json`, `density.csv` and `density.png`.

        Args:
            report: called with each line of a table.

        Returns:
            The dict that the JSON file holds. Its "rows", one an evaluation, have the entries of
            `COLUMNS`. "bits_per_dim" is the mean over images, "standard_error" from the spread
            between them; "stopped" is None, or why the training of the model ended before its
            budget: a loss, gradient or score that is not finite (the last with no "bits_per_dim").
        """
        config, dataset = self._config, self._dataset
        evaluation_images = dataset.test.take(self._num_evaluation_images)
        trainers = [
            ComparisonTrainer(model, dataset, evaluation_images, config)
            for model in matched_models(config, dataset.image_shape, config.num_levels)
        ]
        report(_table_line(None))
        rows = []
        for trainer in _train_in_turns(trainers, config):
            rows.append(_row(trainer))
            report(_table_line(rows[-1]))
        result = {
            **benchmark_facts("density", config),
            "data": {
                "image_shape": list(dataset.image_shape),
                "num_grey_levels": dataset.num_grey_levels,
                "num_train_images": dataset.num_train_images,
                "num_evaluation_images": self._num_evaluation_images,
            },
            "rows": rows,
        }
        return write_benchmark(
            self._output_dir, "density", result, COLUMNS, draw_density_curves, SIZE, report
        )


def _train_in_turns(trainers, config):
    """Yields each trainer when it is to be evaluated, until all have spent their budget."""
    yield from trainers
    max_steps = config.num_training_steps or math.inf
    max_seconds = config.training_seconds or math.inf
    active = [trainer for trainer in trainers if not trainer.stopped]
    while active:
        for trainer in active:
            trainer.train(min(config.evaluate_every, max_steps - trainer.steps), max_seconds)
            yield trainer
        active = [
            trainer
            for trainer in active
            if trainer.steps < max_steps and trainer.seconds < max_seconds and not trainer.stopped
        ]


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
    """A line of the table, or its header for None."""
    if row is None:
        names = f"{'model':<37}{'width':>6}{'parameters':>12}{'step':>7}{'seconds':>10}"
        return names + "  held-out bits/dim"
    score = "-" if row["bits_per_dim"] is None else f"{row['bits_per_dim']:.4f}"
    if row["standard_error"] is not None:
        score += f" +- {row['standard_error']:.4f}"
    if row["stopped"]:
        score += f"  stopped: {row['stopped']}"
    return (
        f"{MODEL_LABELS[row['model']]:<37}{row['width']:>6}{row['num_parameters']:>12,}"
        f"{row['step']:>7}{row['training_seconds']:>10.1f}  {score}"
    )

"""Variants of the model against each other: bits/dim at equal steps and at equal seconds."""

import dataclasses

from tf_marscf.benchmarks import ablation_table
from tf_marscf.benchmarks.ablation_config import AblationConfig
from tf_marscf.benchmarks.ablation_figure import draw_ablation
from tf_marscf.benchmarks.comparison_models import (
    MarScfModel,
    matching_width,
    report_other_count,
)
from tf_marscf.benchmarks.comparison_trainer import ComparisonTrainer
from tf_marscf.benchmarks.resumable_training import TrainingBudget, train_in_turns
from tf_marscf.benchmarks.trained_models_benchmark import TrainedModelsBenchmark
from tf_marscf.config import DequantizationConfig
from tf_marscf.files.atomic_file import atomic_write, write_csv
from tf_marscf.model_size import num_parameters

_LINE = "{:>5}{:>9}{:>10}  {:<36}  {}"
_HEADER = ("done", "step", "seconds", "variant", "held-out bits/dim")
_CURVE_COLUMNS = (
    "seed",
    "average_decay",
    "hidden_channels",
    "num_parameters",
    "step",
    "training_seconds",
    "bits_per_dim",
    "standard_error",
    "stopped",
)


class Ablation(TrainedModelsBenchmark):
    """Trains each variant from each seed, and compares them on the same held-out images.

    The variants of one seed take turns of `config.evaluate_every` steps, so that whatever else the
    machine does hits all of them; then comes the next seed. Evaluations, and the compilation of a
    step, do not count as training time. After each seed the files are written: `ablation.csv` and
    `.md` are the table, `ablation_curves.csv` all evaluations, `ablation.json` both, and
    `ablation.png` the curves. Trainings stay: with a larger budget, or more variants or seeds, the
    next ablation in the same directory goes on with them.

    Args:
        config: an `AblationConfig`.
        output_dir: directory of the files; created if missing.

    Raises:
        DataUnavailableError: if the data cannot be had.
        InputError: if `output_dir` is no directory, or an argument does not suit the data.
    """

    name = "ablation"
    failure = (
        "not trained: {}. The others are, and all files are written; the same command tries again."
    )
    figure_size = (11.0, 5.4)
    free_fields = (
        *TrainedModelsBenchmark.free_fields,
        "priors",
        "couplings",
        "dequantizations",
        "seeds",
        "equal_parameters",
        # Of the variants, which are told apart by the architecture of each.
        "hidden_channels",
        "prior_hidden_channels",
        "prior_num_layers",
    )

    def __init__(self, config, output_dir):
        super().__init__(config, output_dir)
        shape = self._dataset.image_shape
        self._variants = [
            (values, config.mar_scf_config(shape, config.num_levels, **options))
            for values, options in config.variants()
        ]
        if config.equal_parameters:
            self._variants = _of_equal_parameters(self._variants)

    def measure(self, report):
        """The dict of "data", "axes", "rows", "table" and "failed".

        "rows" are all evaluations, with the entries of `ablation_curves.csv`; "table" is of
        `table_rows`; "failed" are texts, one a training that ended with an error.
        """
        config = self._config
        budget = TrainingBudget(
            config.num_training_steps, config.training_seconds, config.evaluate_every, True
        )
        report(_LINE.format(*_HEADER))
        begun = []
        for number, seed in enumerate(config.seeds, start=1):
            if begun:
                self._write_measured(self._found(begun), report)
            of_seed = [
                (*variant, seed, self._training_of(*variant, seed)) for variant in self._variants
            ]
            begun += of_seed
            trainings = [training for *_, training in of_seed]
            for training in trainings:
                if training.steps:
                    report(f"{training.name}: going on after step {training.steps}")
            description = f"training, seed {number} of {len(config.seeds)}"
            for training, rows in train_in_turns(trainings, budget, True, description):
                shares = [one.share(budget) for *_, one in begun]
                done = sum(shares) / len(self._variants) / len(config.seeds)
                report(_line(training, rows, done))
            for training in trainings:
                training.release()
        return self._found(begun)

    def _training_of(self, values, model_config, seed):
        config = self._config
        dequantization = DequantizationConfig(dequantization=values["dequantization"])
        row = values | {
            "seed": seed,
            "hidden_channels": model_config.hidden_channels,
            "num_parameters": num_parameters(model_config),
        }

        def make_trainer():
            model = MarScfModel(model_config, seed, dequantization)
            decays = [decay for decay in config.average_decays if decay]
            return ComparisonTrainer(
                model, self._dataset, self._evaluation_images, config, seed, decays
            )

        def make_rows(trainer):
            scores = {decay: trainer.evaluate(decay) for decay in config.average_decays}
            return [
                row
                | {
                    "average_decay": decay,
                    "step": trainer.steps,
                    "training_seconds": trainer.seconds,
                    "bits_per_dim": mean,
                    "standard_error": error,
                    "stopped": trainer.stopped,
                }
                for decay, (mean, error) in scores.items()
            ]

        facts = {"model": model_config.to_dict(), "seed": seed} | dequantization.changes()
        name = ", ".join([*values.values(), f"seed {seed}"])
        return self._training(name, facts, make_trainer, make_rows)

    def _found(self, trainings):
        """What is known of trainings, `(values, model config, seed, training)`."""
        axes, notes = list(self._config.axes), {}
        for values, _, seed, training in trainings:
            for word in ("stopped", "failed"):
                if reason := getattr(training, word):
                    note = f"seed {seed} {word}: {reason}"
                    notes.setdefault(tuple(values.values()), []).append(note)
        rows = [row for *_, training in trainings for row in training.rows]
        return {
            "data": self._data_facts(),
            "axes": axes,
            "rows": rows,
            "table": ablation_table.table_rows(axes, self._config, rows, notes),
            "failed": [f"{one.name}: {one.failed}" for *_, one in trainings if one.failed],
        }

    @classmethod
    def write_tables(cls, directory, result):
        """Writes the table as CSV and Markdown, and all evaluations as CSV."""
        axes, config = result["axes"], AblationConfig(**result["config"])
        table = result["table"]
        write_csv(directory / "ablation.csv", [*axes, *ablation_table.COLUMNS], table)
        write_csv(directory / "ablation_curves.csv", [*axes, *_CURVE_COLUMNS], result["rows"])
        with atomic_write(directory / "ablation.md") as file:
            file.write(ablation_table.markdown(axes, config, table).encode())

    @staticmethod
    def draw(figure, result):
        """Draws held-out bits/dim against steps (left) and against seconds of training (right).

        A curve is the mean over seeds, at steps to which all of them came, and the band its
        standard error; seconds are means, too. Averages of the weights are dashed.
        """
        draw_ablation(figure, result)


def _of_equal_parameters(variants):
    """Variants whose hidden channels give about as many parameters as the largest has."""
    largest, target = max(
        ((config, num_parameters(config)) for _, config in variants), key=lambda pair: pair[1]
    )
    matched = []
    for values, config in variants:
        if config != largest:
            width = matching_width(
                lambda width, config=config: num_parameters(
                    dataclasses.replace(config, hidden_channels=width)
                ),
                target,
                config.num_heads if config.coupling == "mixlogcdf" else 1,
            )
            config = dataclasses.replace(config, hidden_channels=width)
            name = ", ".join(values.values())
            report_other_count(name, "the largest variant", num_parameters(config), target)
        matched.append((values, config))
    return matched


def _line(training, rows, done):
    if training.failed:
        text = f"failed: {training.failed}"
    else:
        text = ", ".join(map(_score_text, rows))
        text += f"  stopped: {training.stopped}" if training.stopped else ""
    return _LINE.format(
        f"{done:.0%}", training.steps, f"{training.seconds:.1f}", training.name, text
    )


def _score_text(row):
    score = "-" if row["bits_per_dim"] is None else f"{row['bits_per_dim']:.4f}"
    return f"{score} (average {row['average_decay']:g})" if row["average_decay"] else score

"""The table of an ablation: each variant at equal steps and at equal seconds, over seeds."""

import math
import statistics

COLUMNS = (
    "average_decay",
    "hidden_channels",
    "num_parameters",
    "num_seeds",
    "seconds_per_step",
    "bits_per_dim_at_steps",
    "standard_error_at_steps",
    "difference_at_steps",
    "difference_error_at_steps",
    "bits_per_dim_at_seconds",
    "standard_error_at_seconds",
    "difference_at_seconds",
    "difference_error_at_seconds",
    "steps_at_seconds",
    "notes",
)


def table_rows(axes, config, rows, notes):
    """A dict of axes and `COLUMNS` for each variant and average.

    What stands for a budget is the first evaluation at or after it; means and standard errors are
    over seeds, those that came so far. A difference is that from the first variant's figure of the
    same seed and average: its error is smaller, where a seed makes all variants better or worse.
    The error of one seed is None, and so is all of a budget that was not given or that no seed came
    to.

    Args:
        axes: names of the axes.
        config: an `AblationConfig`.
        rows: of the curves, dicts.
        notes: dict from variants, tuples of values of the axes, to what went wrong, lists.
    """
    table, of_first = [], {}
    for variant in dict.fromkeys(tuple(row[axis] for axis in axes) for row in rows) | notes:
        of_variant = [row for row in rows if tuple(row[axis] for axis in axes) == variant]
        for decay in config.average_decays:
            curves = _curves(of_variant, decay)
            entries = dict(zip(axes, variant, strict=True)) | dict.fromkeys(COLUMNS)
            entries |= {"average_decay": decay, "num_seeds": len(curves)}
            if curves:
                entries |= _facts([curve[-1] for curve in curves.values()])
            for name, column, budget in (
                ("steps", "step", config.num_training_steps),
                ("seconds", "training_seconds", config.training_seconds),
            ):
                if budget is not None:
                    reached = _reached(curves, column, budget)
                    entries |= _scores(name, reached, of_first.setdefault((decay, name), reached))
            entries["notes"] = "; ".join(notes.get(variant, ())) or None
            table.append(entries)
    return table


def mean_and_error(values):
    """The mean and its standard error, from the spread between values; None for what is missing."""
    if not values:
        return None, None
    if len(values) == 1:
        return values[0], None
    return statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))


def markdown(axes, config, table):
    """The table as Markdown, a text."""
    budgets = {}
    if config.num_training_steps:
        budgets["steps"] = f"{config.num_training_steps:,} steps"
    if config.training_seconds:
        budgets["seconds"] = f"{config.training_seconds:g} s"
    head = [*axes, "average", "C", "parameters", "seeds", "s a step"]
    for budget in budgets.values():
        head += [f"bits/dim after {budget}", "difference"]
    lines = [head, ["---"] * len(head)]
    for row in table:
        scores = []
        for name in budgets:
            score = _number(row, "bits_per_dim", "standard_error", name)
            if name == "seconds" and row["steps_at_seconds"] is not None:
                score += f" ({row['steps_at_seconds']:,.0f} steps)"
            scores += [score, _number(row, "difference", "difference_error", name, "+")]
        if row["notes"]:
            scores[-1] += f"; {row['notes']}"
        count, seconds = row["num_parameters"], row["seconds_per_step"]
        lines.append(
            [
                *(row[axis] for axis in axes),
                f"{row['average_decay']:g}" if row["average_decay"] else "none",
                "-" if count is None else str(row["hidden_channels"]),
                "-" if count is None else f"{count:,}",
                str(row["num_seeds"]),
                "-" if seconds is None else f"{seconds:.3g}",
                *scores,
            ]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _curves(rows, decay):
    """Evaluations with a score by seed, of one variant and average."""
    curves = {}
    for row in rows:
        if row["average_decay"] == decay and row["bits_per_dim"] is not None:
            curves.setdefault(row["seed"], []).append(row)
    return curves


def _facts(last):
    """What the last evaluations of all seeds tell besides the scores."""
    facts = {name: last[0][name] for name in ("hidden_channels", "num_parameters")}
    if steps := sum(row["step"] for row in last):
        facts["seconds_per_step"] = sum(row["training_seconds"] for row in last) / steps
    return facts


def _reached(curves, column, budget):
    """The first evaluation at or after a budget, by seed."""
    return {
        seed: next(row for row in curve if row[column] >= budget)
        for seed, curve in curves.items()
        if curve[-1][column] >= budget
    }


def _scores(name, reached, of_first):
    """The entries of one budget, from evaluations by seed, and those of the first variant."""
    bits = {seed: row["bits_per_dim"] for seed, row in reached.items()}
    mean, error = mean_and_error(list(bits.values()))
    entries = {f"bits_per_dim_at_{name}": mean, f"standard_error_at_{name}": error}
    if reached is not of_first:
        mean, error = mean_and_error(
            [bits[seed] - of_first[seed]["bits_per_dim"] for seed in bits if seed in of_first]
        )
        entries |= {f"difference_at_{name}": mean, f"difference_error_at_{name}": error}
    if name == "seconds":
        entries["steps_at_seconds"], _ = mean_and_error([row["step"] for row in reached.values()])
    return entries


def _number(row, value, error, name, sign=""):
    """A number of a budget and its standard error, as a text."""
    value, error = row[f"{value}_at_{name}"], row[f"{error}_at_{name}"]
    if value is None:
        return "-"
    return f"{value:{sign}.4f}" if error is None else f"{value:{sign}.4f} +- {error:.4f}"

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
    "bits_per_dim_at_seconds",
    "standard_error_at_seconds",
    "steps_at_seconds",
    "notes",
)


def table_rows(axes, config, rows, notes):
    """A dict of axes and `COLUMNS` for each variant and average.

    What stands for a budget is the first evaluation at or after it; means and standard errors are
    over seeds, those that came so far. The error of one seed is None, and so is all of a budget
    that was not given or that no seed came to.

    Args:
        axes: names of the axes.
        config: an `AblationConfig`.
        rows: of the curves, dicts.
        notes: dict from variants, tuples of values of the axes, to what went wrong, lists.
    """
    table = []
    for variant in dict.fromkeys(tuple(row[axis] for axis in axes) for row in rows) | notes:
        of_variant = [row for row in rows if tuple(row[axis] for axis in axes) == variant]
        for decay in config.average_decays:
            curves = [
                [
                    row
                    for row in of_variant
                    if (row["seed"], row["average_decay"]) == (seed, decay)
                    and row["bits_per_dim"] is not None
                ]
                for seed in config.seeds
            ]
            table.append(
                dict(zip(axes, variant, strict=True))
                | _entries([curve for curve in curves if curve], config)
                | {"average_decay": decay, "notes": "; ".join(notes.get(variant, ())) or None}
            )
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
    budgets = [
        f"{budget} {unit}"
        for budget, unit in (
            (config.num_training_steps, "steps"),
            (config.training_seconds and f"{config.training_seconds:g}", "s"),
        )
        if budget
    ]
    head = [*axes, "average", "C", "parameters", "seeds", "s a step"]
    head += [f"bits/dim after {budget}" for budget in budgets]
    lines = [head, ["---"] * len(head)]
    for row in table:
        scores = []
        if config.num_training_steps:
            scores.append(_score(row, "steps"))
        if config.training_seconds:
            steps = row["steps_at_seconds"]
            score = _score(row, "seconds")
            scores.append(score if steps is None else f"{score} ({steps:,.0f} steps)")
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


def _entries(curves, config):
    entries = dict.fromkeys(COLUMNS) | {"num_seeds": len(curves)}
    if not curves:
        return entries
    last = [curve[-1] for curve in curves]
    entries |= {name: last[0][name] for name in ("hidden_channels", "num_parameters")}
    if steps := sum(row["step"] for row in last):
        entries["seconds_per_step"] = sum(row["training_seconds"] for row in last) / steps
    for name, column, budget in (
        ("steps", "step", config.num_training_steps),
        ("seconds", "training_seconds", config.training_seconds),
    ):
        if budget is None:
            continue
        reached = [
            next(row for row in curve if row[column] >= budget)
            for curve in curves
            if curve[-1][column] >= budget
        ]
        mean, error = mean_and_error([row["bits_per_dim"] for row in reached])
        entries |= {f"bits_per_dim_at_{name}": mean, f"standard_error_at_{name}": error}
        if name == "seconds":
            entries["steps_at_seconds"] = mean_and_error([row["step"] for row in reached])[0]
    return entries


def _score(row, name):
    mean, error = row[f"bits_per_dim_at_{name}"], row[f"standard_error_at_{name}"]
    if mean is None:
        return "-"
    return f"{mean:.4f}" if error is None else f"{mean:.4f} +- {error:.4f}"

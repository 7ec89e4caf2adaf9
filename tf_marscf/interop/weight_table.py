"""What became of published weights, as a table that a person can read."""

import re

_STEP = r"layers\.\d+(\.coupling\.(NN_net|nn(\.mid_convs)?))?"
_PRIOR = r"c_prior\.prior_list\.\d+\.(z1_cond_network|prior_lstm(\.lstm)?)"
_GROUP = re.compile(rf"flow\.({_STEP}|{_PRIOR})\.")


def weight_table(rows):
    """Lays out what was mapped.

    Args:
        rows: a list of `(names, published shapes, our shape, our name)`, as from
            `load_published_weights`.

    Returns:
        The lines, of some 100 characters at most: one for each module of the published model, and
        below it the names of its weights, their shapes, and shape and name of our variable.
    """
    cells = [_cells(*row) for row in rows]
    widths = [max(map(len, column), default=0) for column in zip(*cells, strict=True)]
    lines, group = [], None
    for group_of_row, *row in cells:
        if group_of_row != group:
            group = group_of_row
            lines.append(group)
        name, published, ours, variable = (
            cell.ljust(width) for cell, width in zip(row, widths[1:], strict=True)
        )
        lines.append(f"  {name}  {published} -> {ours}  {variable}".rstrip())
    return lines


def _cells(names, published_shapes, shape, variable):
    """The module of a row, and its columns."""
    group = _GROUP.match(names[0])[0]
    shapes = dict.fromkeys(map(_shape, published_shapes))
    return (
        group.removesuffix("."),
        _as_one_name([name.removeprefix(group) for name in names]),
        " + ".join(shapes),
        _shape(shape),
        variable,
    )


def _as_one_name(names):
    """Several names as one: `0.a`, `1.a`, `2.a` as `0-2.a`, and `a.b`, `a.c` as `a.b + c`."""
    columns = list(zip(*(name.split(".") for name in names), strict=True))
    is_numbered = all(len(set(parts)) == 1 or all(map(str.isdigit, parts)) for parts in columns)
    if not is_numbered:
        return " + ".join([names[0], *(name.split(".")[-1] for name in names[1:])])
    return ".".join(
        parts[0] if len(set(parts)) == 1 else f"{parts[0]}-{parts[-1]}" for parts in columns
    )


def _shape(shape):
    return "x".join(map(str, shape)) or "scalar"

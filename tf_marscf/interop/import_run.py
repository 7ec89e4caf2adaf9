"""Turns a file of published weights into a directory that evaluate and sample read."""

import dataclasses
import re

from tf_marscf.distributions import Dequantized
from tf_marscf.flow import MarScf
from tf_marscf.interop.published_architecture import infer_config
from tf_marscf.interop.published_weights import check_names_and_shapes, load_published_weights
from tf_marscf.interop.weight_file import read_weight_file
from tf_marscf.runs.run_config import PixelConfig, RunConfig
from tf_marscf.saving import new_directory, save

_STEP = r"layers\.\d+(\.coupling\.(NN_net|nn(\.mid_convs)?))?"
_PRIOR = r"c_prior\.prior_list\.\d+\.(z1_cond_network|prior_lstm(\.lstm)?)"
_GROUP = re.compile(rf"flow\.({_STEP}|{_PRIOR})\.")


def import_published_weights(path, output, image_size, published_scaling=True, **options):
    """Reads published weights and writes a checkpoint with its config.

    Args:
        path: `.pt` or `.npz` file of weights, see `read_weight_file`.
        output: directory to write, a new or empty one.
        image_size: height and width of the images: an integer, or (height, width).
        published_scaling: whether pixels are scaled as the published code does, which the weights
            were trained with.
        **options: further arguments of `infer_config`.

    Returns:
        `(config, table)`: the inferred `RunConfig`, and what was mapped, as from
        `load_published_weights`.

    Raises:
        InputError: as from `read_weight_file`, `infer_config` and `load_published_weights`; nothing
            is written then.
        RunError: if the directory holds files already; nothing is overwritten.
        OSError: if the file cannot be read or the directory not be written.
    """
    output = new_directory("output", output)
    weights = read_weight_file(path)
    config = RunConfig(
        model=infer_config(weights, image_size, **options),
        pixels=PixelConfig(num_grey_levels=256, published_scaling=published_scaling),
    )
    check_names_and_shapes(config.model, weights)
    model = MarScf.from_config(config.model)
    table = load_published_weights(model, weights)
    save(Dequantized(model, **dataclasses.asdict(config.pixels)), output)
    return config, table


def weight_table(rows):
    """Lays out what was mapped, a list of rows as from `load_published_weights`.

    The lines, of some 100 characters at most, are one for each module of the published model, and
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

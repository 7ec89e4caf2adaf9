"""Imports published weights: `python bin/import_weights.py --input=FILE.pt --output=DIR`."""

import re

from absl import flags

from tf_marscf.commands import command_line
from tf_marscf.errors import InputError

_SIZE = re.compile("[1-9][0-9]{0,8}")


def define_flags():
    """Defines the flags."""
    command_line.define_path(
        "input", None, "Weights: a .pt (needs torch) or .npz file.", required=True
    )
    command_line.define_path(
        "output", None, "New directory for checkpoint and config.", required=True
    )
    flags.DEFINE_list("image_size", ["32"], "Size of the images: N, or HEIGHT,WIDTH.")
    flags.DEFINE_integer(
        "num_heads", None, "Attention heads of MixLogCDF networks; default: 4.", lower_bound=1
    )
    flags.DEFINE_boolean("published_preprocessing", True, "Scale pixels as in the published code.")
    flags.DEFINE_boolean("table", True, "Print what became of each weight.")


def image_size():
    """The image size as (height, width)."""
    sizes = [size.strip() for size in flags.FLAGS.image_size]
    if len(sizes) not in (1, 2) or not all(map(_SIZE.fullmatch, sizes)):
        raise InputError(
            f"`image_size` must be N or HEIGHT,WIDTH, integers >= 1; got {','.join(sizes)!r}."
        )
    return (int(sizes[0]), int(sizes[-1]))


def main():
    """Imports, and prints the table of weights and the inferred architecture."""
    values = flags.FLAGS
    size = image_size()
    command_line.start_tensorflow()
    from tf_marscf.interop.import_run import import_published_weights
    from tf_marscf.interop.weight_table import weight_table

    config, rows = import_published_weights(
        values.input,
        values.output,
        size,
        published_scaling=values.published_preprocessing,
        num_heads=values.num_heads,
    )
    if values.table:
        print("\n".join(weight_table(rows)))
    model = config.model
    print(
        f"imported {len(rows)} variables: {model.coupling}, L={model.num_levels}, "
        f"K={model.num_steps}, C={model.hidden_channels}, images {model.image_shape}, prior width "
        f"{model.prior_hidden_channels}, into {values.output}"
    )


def run():
    """Runs the command."""
    define_flags()
    command_line.run(main)

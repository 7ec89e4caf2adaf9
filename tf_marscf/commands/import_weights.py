"""Imports published weights: `python bin/import_weights.py --input=FILE.pt --output=DIR`."""

import functools

from absl import flags

from tf_marscf.commands import command_line


def define_flags():
    """Defines the flags."""
    command_line.define_path(
        "input", None, "Weights: a .pt (needs torch) or .npz file.", required=True
    )
    command_line.define_path(
        "output", None, "New directory for checkpoint and config.", required=True
    )
    command_line.define_image_size()
    flags.DEFINE_integer(
        "num_heads", None, "Attention heads of MixLogCDF networks; default: 4.", lower_bound=1
    )
    flags.DEFINE_boolean("published_preprocessing", True, "Scale pixels as in the published code.")
    flags.DEFINE_boolean("table", True, "Print what became of each weight.")


def main():
    """Imports, and prints the table of weights and the inferred architecture."""
    values = flags.FLAGS
    size = command_line.image_size()
    command_line.start_tensorflow(
        f"Imports the weights in {values.input} into {values.output}",
        "How long it takes depends on their size: each is read, checked and written once.",
    )
    from tf_marscf.interop.import_run import import_published_weights, weight_table

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


run = functools.partial(command_line.run, main, define_flags)

"""Turns a file of published weights into a directory that evaluate and sample read."""

import dataclasses
import os

from tf_marscf.distributions import Dequantized
from tf_marscf.errors import InputError, RunError
from tf_marscf.files.paths import local_path
from tf_marscf.flow import MarScf
from tf_marscf.interop.published_architecture import infer_config
from tf_marscf.interop.published_weights import check_names_and_shapes, load_published_weights
from tf_marscf.interop.weight_file import read_weight_file
from tf_marscf.runs.run_config import PixelConfig, RunConfig
from tf_marscf.saving import save


def import_published_weights(path, output, image_size, published_scaling=True, **options):
    """Reads published weights and writes a checkpoint with its config.

    Args:
        path: `.pt` or `.npz` file of weights, see `read_weight_file`.
        output: directory to write; must not hold a config yet.
        image_size: height and width of the images: an integer, or (height, width).
        published_scaling: whether pixels are scaled as the published code does, which the weights
            were trained with.
        **options: further arguments of `infer_config`.

    Returns:
        `(config, table)`: the inferred `RunConfig`, and what was mapped, as from
        `load_published_weights`.

    Raises:
        InputError: if an argument is wrong, or the file is damaged or does not hold the weights of
            a published model; nothing is written then. Of its kinds, `MissingInputError` where
            there is no such file, `MissingPackageError` where torch is needed and missing.
        RunError: if the directory holds a run already; nothing is overwritten.
        OSError: if the file cannot be read or the directory not be written.
    """
    output = local_path("output", output)
    if os.path.exists(output) and not os.path.isdir(output):
        raise InputError(f"`output` must be a new directory; {output!r} is a file.")
    if os.path.exists(os.path.join(output, "config.json")):
        raise RunError(f"`output` must be a new directory; {output!r} holds a run already.")
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

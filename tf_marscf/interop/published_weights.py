"""Loads the weights of the published PyTorch code (visinf/mar-scf) into a model."""

import math

import numpy as np
import tensorflow as tf

from tf_marscf.errors import InputError
from tf_marscf.files.input_files import quoted, shortened
from tf_marscf.flow import MarScf
from tf_marscf.interop.published_mappings import published_mappings

_NUM_SHOWN_PROBLEMS = 5


def load_published_weights(model, weights):
    """Sets every variable of a model from published weights, or none.

    The `MarScf` is as `MarScf.from_config(infer_config(weights, ...))`, and the weights are as from
    `read_weight_file`.

    Returns:
        A list of `(names, published shapes, our shape, our name)`, one a variable: what was mapped.

    Raises:
        InputError: if arrays are missing, are none of the model's, have a wrong shape or are not
            finite in the model's dtype; it names them with their shapes. Nothing is set then.
    """
    mappings = published_mappings(model)
    _check_names_and_shapes(mappings, weights, model.config.num_levels)
    values, table = [], []
    for mapping in mappings:
        arrays = [_in_dtype(weights[name], model.dtype, name) for name in mapping.names]
        values.append(_finite(mapping.value(arrays), " + ".join(mapping.names)))
        shape = tuple(mapping.variable.shape)
        published_shapes = tuple(array.shape for array in arrays)
        table.append((mapping.names, published_shapes, shape, mapping.variable_name()))
    for mapping, value in zip(mappings, values, strict=True):
        mapping.variable.assign(tf.cast(value, model.dtype))
    return table


def check_names_and_shapes(config, weights):
    """Compares names and shapes with those of a model that is not built yet.

    A few long arrays of a file can make an architecture that fits in no memory. It raises what
    `load_published_weights` does; `config` is that of `infer_config(weights, ...)`.
    """
    with tf.Graph().as_default():  # Variables of a graph that does not run take no memory.
        mappings = published_mappings(MarScf.from_config(config))
        _check_names_and_shapes(mappings, weights, config.num_levels)


def _check_names_and_shapes(mappings, weights, num_levels):
    """Tells all that is missing, misshapen or too much, with the shapes."""
    problems, unknown = [], dict(weights)
    for mapping in mappings:
        expected = mapping.published_shape()
        for name in mapping.names:
            unknown.pop(name, None)
            if name not in weights:
                problems.append(f"{name!r}, of shape {expected}, is missing")
            elif not _fits(weights[name].shape, expected):
                seen = shortened(str(weights[name].shape))
                problems.append(f"{name!r} must have shape {expected}; got {seen}")
    for name in sorted(unknown):
        if not _is_unused(name, num_levels):
            shape = shortened(str(weights[name].shape))
            problems.append(f"{quoted(name)}, of shape {shape}, is none of the model's")
    if problems:
        shown = "; ".join(problems[:_NUM_SHOWN_PROBLEMS])
        more = len(problems) - _NUM_SHOWN_PROBLEMS
        raise InputError(
            "`weights` must be those of the model, no more and no less: "
            f"{shown}{f'; and {more} more' if more > 0 else ''}."
        )


def _is_unused(name, num_levels):
    """Whether a published array plays no part in the density."""
    # The flags of the data-dependent initialisation, and the conditioning network of the last
    # level, which has nothing to condition on.
    last_prior = f"flow.c_prior.prior_list.{num_levels - 1}."
    return name.endswith(".is_initialized") or name.startswith(last_prior + "z1_cond_network.")


def _fits(shape, expected):
    """Whether shapes are equal; published vectors may have axes of length one around them."""
    if len(expected) == 1:
        return math.prod(shape) == max(shape, default=1) == expected[0]
    return shape == expected


def _in_dtype(array, dtype, name):
    """An array in the model's dtype, if its values are finite there."""
    with np.errstate(over="ignore"):
        return _finite(array.astype(tf.as_dtype(dtype).as_numpy_dtype), name)


def _finite(value, name):
    if not np.all(np.isfinite(value)):
        raise InputError(
            f"`weights[{quoted(name)}]` must be finite in {value.dtype}; got NaN or infinity."
        )
    return value

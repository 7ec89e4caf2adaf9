"""Runs each signature of a SavedModel, as it lies on the disk."""

import contextlib

import numpy as np
import tensorflow as tf

from tf_marscf.errors import RunError, first_line
from tf_marscf.serving.saved_model_file import read_meta_graph, signatures_of
from tf_marscf.serving.signature_checks import SIGNATURES, SignatureChecks, failure

_SIZES = (1, 2)


def check_saved_model(version, images_distribution, report):
    """Checks a version: finite answers, the images that were encoded, the model's own log-density.

    As in a server, a session runs the graph, with the functions of the file and no others: what
    this process has, such as functions of an export that was just made, is not seen.

    Args:
        version: the `Path` of a version.
        images_distribution: the `Dequantized` that was exported.
        report: called with a line of text a signature.

    Raises:
        InputError: if there is no SavedModel.
        RunError: naming the first signature whose answer is wrong.
    """
    meta_graph = read_meta_graph(version)
    signatures = signatures_of(meta_graph)
    for name in SIGNATURES:
        if name not in signatures:
            raise failure(name, f"{str(version)!r} has none of that name")
    graph = tf.Graph()
    try:
        with graph.as_default():
            tf.graph_util.import_graph_def(meta_graph.graph_def, name="")
    except (ValueError, tf.errors.OpError) as error:
        raise RunError(f"{str(version)!r} cannot be loaded: {first_line(error)}") from error
    # Its own context would make its graph that of the model, too.
    with contextlib.closing(tf.compat.v1.Session(graph=graph)) as session:

        def run(name, inputs):
            signature = signatures[name]
            fed = {info.name: np.asarray(inputs[key]) for key, info in signature.inputs.items()}
            fetched = {key: info.name for key, info in signature.outputs.items()}
            try:
                return session.run(fetched, fed)
            except (TypeError, ValueError, tf.errors.OpError) as error:
                raise failure(name, first_line(error)) from error

        SignatureChecks(run, images_distribution, report).check_all(_SIZES)

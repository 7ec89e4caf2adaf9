"""What the file of a SavedModel says, read without TensorFlow's loader."""

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from tf_marscf.errors import InputError

FILE_NAME = "saved_model.pb"
# TensorFlow's own, which initializes a model that has something to initialize.
_INTERNAL = "__saved_model_init_op"


def read_meta_graph(version):
    """The `MetaGraphDef` for servers of a version, a `Path`; `InputError` if there is none."""
    file = version / FILE_NAME
    try:
        saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    except DecodeError as error:
        raise InputError(f"{str(file)!r} must be the file of a SavedModel; {error}.") from error
    for meta_graph in saved_model.meta_graphs:
        if tf.saved_model.SERVING in meta_graph.meta_info_def.tags:
            return meta_graph
    raise InputError(f"{str(file)!r} must hold a graph for servers; it has none.")


def signatures_of(meta_graph):
    """The `SignatureDef`s of a `MetaGraphDef`, a dict from their names."""
    return {
        name: signature
        for name, signature in sorted(meta_graph.signature_def.items())
        if name != _INTERNAL
    }

"""An export in words: its size, and its signatures with their inputs and outputs."""

import tensorflow as tf

from tf_marscf.files.atomic_file import read_json
from tf_marscf.runs.portable_weights import TASKS_FILE, has_portable_weights
from tf_marscf.serving.saved_model_file import read_meta_graph, signatures_of


def listing(version):
    """Lines of text about a version of an export, a `Path`, of either format.

    Raises:
        InputError: if its files are damaged.
        OSError: if they cannot be read.
    """
    if has_portable_weights(version):  # One of its programs may be a training step.
        called, found = "programs", _portable_programs(version)
    else:
        called, found = "signatures", _saved_model_signatures(version)
    num_bytes = sum(file.stat().st_size for file in version.rglob("*") if file.is_file())
    lines = [f"{num_bytes / 1e6:.2f} MB on the disk, {len(found)} {called}:"]
    for name, (inputs, outputs) in found.items():
        lines.append(f"  {name}: {', '.join(inputs)} -> {', '.join(outputs)}")
    return lines


def _saved_model_signatures(version):
    return {
        name: tuple(
            [
                _words(key, tf.as_dtype(info.dtype).name, tf.TensorShape(info.tensor_shape))
                for key, info in sorted(infos.items())
            ]
            for infos in (signature.inputs, signature.outputs)
        )
        for name, signature in signatures_of(read_meta_graph(version)).items()
    }


def _portable_programs(version):
    tasks = read_json(version / TASKS_FILE)["tasks"]
    return {
        name: tuple(
            [_words(one["name"], one["dtype"], tf.TensorShape(one["shape"])) for one in task[key]]
            for key in ("inputs", "outputs")
        )
        for name, task in sorted(tasks.items())
    }


def _words(name, dtype, shape):
    """Such as `images uint8 [N, 8, 8, 1]`; `[...]`: a shape that the graph itself checks."""
    sizes = ["..."] if shape.rank is None else ["N" if one is None else str(one) for one in shape]
    return f"{name} {dtype} [{', '.join(sizes)}]"

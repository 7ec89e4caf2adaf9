"""Export of a trained model as TensorFlow Serving expects it."""

import importlib.util

import tensorflow as tf

from tf_marscf import rules
from tf_marscf.errors import InputError, RunError, first_line
from tf_marscf.files.atomic_file import unfinished_directory
from tf_marscf.files.paths import local_path
from tf_marscf.progress import watched
from tf_marscf.runs.model_directory import EXPORTED_WEIGHTS
from tf_marscf.runs.run_config import RunConfig
from tf_marscf.runs.trained_model import averaged_checkpoint, restore_model
from tf_marscf.saving import save
from tf_marscf.serving.check_saved_model import check_saved_model
from tf_marscf.serving.frozen_function import freeze
from tf_marscf.serving.model_versions import checked_output, publish
from tf_marscf.serving.served_model import MAX_NUM_SAMPLES, ServedModel

_MAX_NUM_BYTES = 2**31 - 2**24  # Of a protocol buffer, less room for the graph itself.
_NUM_WARM_UP_EXAMPLES = 2


def export_model(
    train_dir,
    output,
    version=None,
    which=None,
    max_num_samples=MAX_NUM_SAMPLES,
    progress=False,
    report_check=None,
):
    """Writes `output/<version>/`, a SavedModel with the signatures of `ServedModel`.

    The graph holds operations of TensorFlow alone and no variables; beside it lie the weights, for
    `tf_marscf.load`. The directory appears whole or not at all, and an existing version is never
    overwritten, also not one that another process exports meanwhile. With the package
    tensorflow-serving-api (the extra `serving`), requests that warm a server up are written, too.

    Args:
        train_dir: a training directory, or one of imported weights.
        output: the model's directory, which holds its versions.
        version: an integer from 1 to 2^63 - 1; default: the one after the newest.
        which: "best" or "latest" checkpoint; default: the best, but of a run that keeps a moving
            average of the weights, an average (see `averaged_checkpoint`).
        max_num_samples: greatest `num_samples` of a request.
        progress: whether to show how far it is, on the standard error stream.
        report_check: called with a line of text for each signature, which is run as it was written,
            before the version appears; None: nothing is run. See `check_saved_model`.

    Returns:
        The path of the version.

    Raises:
        MissingInputError, InputError: if the training directory has no such model, the model is
            larger than a SavedModel can be, or an argument is out of range.
        RunError: if the version exists, cannot be written, or failed a check.
    """
    rules.integer(1, num_bits=31)(max_num_samples, "`max_num_samples`")
    output = checked_output(output, version)
    train_dir = local_path("train_dir", train_dir)
    config = RunConfig.load(train_dir)
    which = averaged_checkpoint(config, train_dir) if which is None else which
    images_distribution = restore_model(config, train_dir, which)
    _check_size(images_distribution)
    signatures = ServedModel(images_distribution, max_num_samples).signatures().items()
    # Made before the long work: then it is known whether there can be one.
    with unfinished_directory(output / "export") as directory:
        constants = {}
        functions = {
            name: freeze(function, specs, images_distribution, constants)
            for name, (function, specs) in watched(
                signatures, len(signatures), "exporting", "signatures", progress
            )
        }
        partial = directory / directory.name  # TensorFlow makes it.
        try:
            _write(functions, images_distribution, partial)
        except tf.errors.OpError as error:  # Such as a full disk.
            raise RunError(
                f"`output` {str(output)!r} cannot be written to: {first_line(error)}"
            ) from error
        if report_check is not None:
            check_saved_model(partial, images_distribution, report_check)
        return publish(partial, output, version)


def _write(functions, images_distribution, directory):
    """Writes a version: SavedModel, weights and warm-up requests."""
    module = tf.Module()
    for name, function in functions.items():
        setattr(module, name, function)
    tf.saved_model.save(module, str(directory), signatures=functions)
    save(images_distribution, directory / EXPORTED_WEIGHTS)
    if importlib.util.find_spec("tensorflow_serving") is not None:
        path = directory / "assets.extra" / "tf_serving_warmup_requests"
        _write_warm_up_requests(path, functions)


def _write_warm_up_requests(path, functions):
    """Writes one request a signature: with it a server prepares what the first call needs."""
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    with tf.io.TFRecordWriter(str(path)) as writer:
        for name, function in functions.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = name
            for spec in function.input_signature:
                # A temperature may be of any shape: here it is a number.
                sizes = spec.shape if spec.shape.rank is not None else []
                shape = [_NUM_WARM_UP_EXAMPLES if size is None else size for size in sizes]
                # Ones are valid everywhere: a grey level, a number of samples, a temperature.
                request.inputs[spec.name].CopyFrom(tf.make_tensor_proto(1, spec.dtype, shape))
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())


def _check_size(images_distribution):
    num_bytes = sum(
        variable.shape.num_elements() * variable.dtype.size
        for variable in images_distribution.variables
    )
    if num_bytes > _MAX_NUM_BYTES:
        raise InputError(
            "`train_dir` must hold a model of at most 2 GB, because the graph of a SavedModel can "
            f"be no larger; got weights of {num_bytes / 1e9:.1f} GB."
        )

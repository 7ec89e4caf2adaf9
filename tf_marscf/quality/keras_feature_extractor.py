"""Any Keras model, or TensorFlow SavedModel, as the extractor of features."""

import math
import os
import zipfile

import tensorflow as tf

from tf_marscf.errors import InputError, MissingInputError, RunError, first_line
from tf_marscf.files.paths import local_path
from tf_marscf.quality.feature_extractor import (
    FeatureExtractor,
    ImageFeatures,
    as_features,
    as_probabilities,
    reading,
)

DEFAULT_PIXEL_RANGE = (0.0, 255.0)
_SIGNATURE = "serving_default"
_KERAS_ENDINGS = (".keras", ".h5", ".hdf5")


class KerasFeatureExtractor(FeatureExtractor):
    """Features of images by a `.keras` file or a SavedModel directory, `path`.

    Its one input is a batch of images [n, h, w, 1 or 3], channels last. Images of one channel are
    repeated where it wants three; other sizes than its own are resized (bilinear, with
    antialiasing); grey levels 0 to 255 are mapped linearly to `pixel_range`. A uint8 input gets
    the grey levels themselves. A SavedModel is called through its signature `serving_default`.

    A single output serves as features (FID, KID), maps averaged over height and width, and as
    class probabilities or logits (Inception score; see `as_probabilities`). A model with several
    named outputs uses `features`, and `probabilities` or `logits`. With `layer` the features are
    the output of that layer of a Keras model instead, such as the last one before the classes.

    Python code in a Keras model, such as that of a Lambda layer, is not run: such a file is
    refused. A SavedModel is a program, whose operations can read and write files.

    Raises:
        InputError: if there is no such file (a `MissingInputError`), it cannot be read, or is no
            model of images; or an argument is wrong.
        RunError, OSError: if there is too little memory, or the system does not let it be read.
    """

    def __init__(self, path, layer=None, pixel_range=DEFAULT_PIXEL_RANGE):
        self._low, self._high = _checked_range(pixel_range)
        path = local_path("feature_extractor", path)
        if not os.path.lexists(path):
            raise MissingInputError(
                f"`feature_extractor` must be a .keras file or a SavedModel; {path!r} does not "
                "exist."
            )
        _check_readable(path)
        load = _load_saved_model if os.path.isdir(path) else _load_keras_model
        function, inputs = load(path, layer)
        self._function = tf.function(function, autograph=False, reduce_retracing=True)
        self._input_shape, self._input_dtype = _checked_input(inputs, path)
        if self._input_dtype == tf.uint8 and (self._low, self._high) != DEFAULT_PIXEL_RANGE:
            raise InputError(
                f"`pixel_range` must be {DEFAULT_PIXEL_RANGE} for a model that takes uint8, such "
                f"as {path!r}; got {pixel_range!r}."
            )
        self.name = path if layer is None else f"{path}, layer {layer}"

    def __call__(self, images):
        """Extracts features; see `FeatureExtractor`."""
        self.describe_input(images.shape[1:])
        outputs = self._outputs(self._prepare(tf.constant(images)))
        features = outputs.get("features")
        if features is not None:
            features = as_features(features, self.name)
        # One number an image is no class probability.
        classes = [outputs[key] for key in ("probabilities", "logits") if key in outputs]
        classes = [part for part in classes if part.ndim == 2 and part.shape[1] != 1]
        if features is None and not classes:
            raise InputError(
                "`feature_extractor` must have one output, or some of 'features', 'probabilities' "
                f"and 'logits'; {self.name} has {sorted(outputs)}."
            )
        probabilities = as_probabilities(classes[0], self.name) if classes else None
        return ImageFeatures(features=features, probabilities=probabilities)

    def _outputs(self, values):
        """Runs the model; a dict of its outputs, NumPy arrays of a row an image."""
        try:
            outputs = self._function(values)
        # It is somebody's program: whatever it raises is its failure.
        except Exception as error:
            raise RunError(f"{self.name} cannot be computed: {_reason(error)}") from error
        if isinstance(outputs, (list, tuple)):
            outputs = {f"output_{index}": output for index, output in enumerate(outputs)}
        if isinstance(outputs, dict) and len(outputs) == 1:
            ((_, outputs),) = outputs.items()
        if not isinstance(outputs, dict):
            outputs = {"features": outputs, "probabilities": outputs}
        for name, output in outputs.items():
            is_tensor = isinstance(output, tf.Tensor)
            is_number = is_tensor and (output.dtype.is_floating or output.dtype.is_integer)
            if not is_number or output.shape.rank == 0 or output.shape[0] != len(values):
                seen = f"{output.dtype.name} {output.shape}" if is_tensor else type(output).__name__
                raise InputError(
                    f"`feature_extractor` must give a row of numbers for each of {len(values)} "
                    f"images; {self.name} gives {seen} as {name!r}."
                )
        return {name: output.numpy() for name, output in outputs.items()}

    def describe_input(self, image_shape):
        """Says what becomes of images; see `FeatureExtractor`."""
        height, width, channels = image_shape
        wanted_height, wanted_width, wanted_channels = self._input_shape
        if wanted_channels not in (None, channels) and (channels, wanted_channels) != (1, 3):
            raise InputError(
                f"`feature_extractor` must take images of {channels} channels; {self.name} takes "
                f"{wanted_channels}."
            )
        texts = []
        size = (wanted_height or height, wanted_width or width)
        if size != (height, width):
            texts.append(f"resized from {height}x{width} to {size[0]}x{size[1]}")
        if wanted_channels not in (None, channels):
            texts.append(f"repeated to {wanted_channels} channels")
        if self._input_dtype != tf.uint8:
            texts.append(f"grey levels mapped to [{self._low:g}, {self._high:g}]")
        return ", ".join(texts) or "as they are"

    def _prepare(self, images):
        height, width, channels = self._input_shape
        if channels == 3 and images.shape[-1] == 1:
            images = tf.repeat(images, 3, axis=-1)
        size = [height or images.shape[1], width or images.shape[2]]
        values = tf.cast(images, tf.float32)
        values = tf.image.resize(values, size, antialias=True)  # As they are, if of this size.
        if self._input_dtype == tf.uint8:
            return tf.cast(tf.clip_by_value(tf.round(values), 0.0, 255.0), tf.uint8)
        values = self._low + values * ((self._high - self._low) / 255.0)
        return tf.cast(values, self._input_dtype)


def _checked_range(pixel_range):
    try:
        low, high = (float(value) for value in pixel_range)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not -math.inf < low < high < math.inf:
        raise InputError(
            f"`pixel_range` must be two numbers, the lower one first; got {pixel_range!r}."
        )
    return low, high


def _check_readable(path):
    """Checks that there are files, and no pipes or devices, which are waited for or have no end."""
    paths = [os.path.join(place, name) for place, _, names in os.walk(path) for name in names]
    for part in paths if os.path.isdir(path) else [path]:
        if not os.path.isfile(part):
            raise InputError(f"`feature_extractor` must be of regular files; {part!r} is none.")
        with open(part, "rb") as file:
            file.read(1)


def _reason(error):
    """What an error says; not where it goes on with how to load what is unsafe to load."""
    if "unsafe_deserialization" in str(error) or "safe_mode" in str(error):
        return "it holds Python code, such as that of a Lambda layer, which is not run."
    return f"{type(error).__name__}, {first_line(error)}"


def _load_keras_model(path, layer):
    """The function from prepared images to outputs, and the specs of the model's inputs."""
    import keras

    if not path.endswith(_KERAS_ENDINGS):
        raise InputError(
            f"`feature_extractor` must be a file that ends with one of {_KERAS_ENDINGS}, or the "
            f"directory of a SavedModel; got {path!r}."
        )
    if path.endswith(".keras") and not zipfile.is_zipfile(path):
        raise InputError(
            f"`feature_extractor` {path!r} cannot be read as a Keras model: it is no zip archive, "
            "or it is cut off."
        )
    with reading(path, f"`feature_extractor` {path!r} cannot be read as a Keras model", _reason):
        # In safe mode, as is the default: no code in the file is run.
        model = keras.saving.load_model(path, compile=False)
    inputs = getattr(model, "inputs", None) or []
    if layer is not None and inputs:
        names = [part.name for part in model.layers]
        if layer not in names:
            raise InputError(f"`layer` must be one of {names}; got {layer!r}.")
        outputs = model.outputs
        classes = {"probabilities": outputs[0]} if len(outputs) == 1 else {}
        model = keras.Model(model.inputs, {"features": model.get_layer(layer).output} | classes)
    specs = [tf.TensorSpec(part.shape, part.dtype) for part in inputs]
    return lambda images: model(images, training=False), specs


def _load_saved_model(path, layer):
    if layer is not None:
        raise InputError(
            f"`layer` must be None for a SavedModel, which has no layers; got {layer!r}."
        )
    with reading(path, f"`feature_extractor` {path!r} cannot be read as a SavedModel", _reason):
        loaded = tf.saved_model.load(path)
        signatures = dict(getattr(loaded, "signatures", {}))
    if _SIGNATURE not in signatures:
        raise InputError(
            f"`feature_extractor` must have a signature {_SIGNATURE!r}; {path!r} has "
            f"{sorted(signatures)}."
        )
    signature = signatures[_SIGNATURE]
    specs = signature.structured_input_signature[1]

    # `loaded` must outlive its signatures.
    def call(images, owner=loaded):
        return signature(**dict.fromkeys(specs, images))

    return call, list(specs.values())


def _checked_input(specs, path):
    """Shape [h, w, c] and dtype of a model's one input."""
    if len(specs) != 1:
        raise InputError(
            f"`feature_extractor` must have one input, a batch of images; {path!r} has "
            f"{len(specs)}."
        )
    (spec,) = specs
    shape = tf.TensorShape(spec.shape)
    is_image = shape.rank == 4 and shape[3] in (None, 1, 3) and shape[0] is None
    if not is_image or not (spec.dtype.is_floating or spec.dtype == tf.uint8):
        raise InputError(
            "`feature_extractor` must take images [n, h, w, 1 or 3], float or uint8; "
            f"{path!r} takes {spec.dtype.name} {shape}."
        )
    return tuple(shape[1:].as_list()), spec.dtype

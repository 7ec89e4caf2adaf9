"""What the page does with a SavedModel that lies alone, without the weights of the model."""

import functools
import re

import numpy as np
import tensorflow as tf

from tf_marscf.distributions.sampling_arguments import temperature_by_level
from tf_marscf.errors import InputError, RunError, first_line
from tf_marscf.explore.explorer import MAX_NUM_SAMPLES, NUM_POINTS, ImageScore, Path
from tf_marscf.interpolation.interpolation import linear_latents
from tf_marscf.model_size import MAX_LEVELS
from tf_marscf.rules import integer
from tf_marscf.sampling.sample_config import check_sampling_arguments
from tf_marscf.sampling.sample_stream import SampleBatch

_NEEDED = {"serving_default", "sample", "encode", "decode"}
# What TensorFlow says of a check that fails, in the middle of other lines.
_REASON = re.compile(r"\n([^\n]+)\n\s*\[\[\{\{node")
_check_count = integer(1, MAX_NUM_SAMPLES)
_WEIGHTS = (
    "this SavedModel lies without its weights (`assets.extra/tf_marscf`, which bin/export.py "
    "writes beside it)"
)


class SavedModelExplorer:
    """Samples, paths and scores by the signatures of an export (`ServedModel`).

    The signatures say neither where bits/dim come from nor take noise: see `lacks`. They tell of
    the model what its requests accept: the number of levels is that of the temperatures which a
    request may have, the number of grey levels follows from the greatest one that it may hold.

    Args:
        directory: one version of an export.

    Attributes:
        lacks: what the page cannot do, a dict from names of features to sentences.
        image_shape, num_levels, num_grey_levels, num_classes: as of `Explorer`.

    Raises:
        InputError: if it is no SavedModel of tf_marscf, or cannot be loaded.
    """

    lacks = {
        "level": f"No level can be drawn again: {_WEIGHTS}, and its signatures take no noise.",
        "map": f"There is no map: {_WEIGHTS}, and its signatures give bits/dim of whole images.",
        "projection": f"There is no path of Eq. 11: {_WEIGHTS}, and its signatures no gradients.",
        "place": f"There are no test images: {_WEIGHTS}, and so without the name of the data set.",
    }
    has_even_log_dets = False

    def __init__(self, directory):
        try:
            self._loaded = tf.saved_model.load(str(directory))
        except (MemoryError, KeyboardInterrupt):
            raise
        # Whatever TensorFlow raises while it reads somebody's file.
        except Exception as error:
            raise InputError(
                f"`model` must be a SavedModel that can be read; {str(directory)!r}: "
                f"{first_line(error)}"
            ) from error
        self._signatures = self._loaded.signatures
        missing = _NEEDED - set(self._signatures)
        if missing:
            raise InputError(
                f"`model` must be an export of tf_marscf; {str(directory)!r} has no signature "
                f"{min(missing)!r}."
            )
        self._score_inputs = self._inputs("serving_default")
        self.image_shape = tuple(self._score_inputs["images"].shape[1:])
        # Which classes there are, no signature says.
        self.has_classes = "labels" in self._score_inputs
        self.num_classes = self._greatest_accepted_label() + 1 if self.has_classes else None
        self.num_levels = self._accepted_num_levels()
        self.num_grey_levels = self._greatest_accepted_grey_level() + 1

    def sample(self, num_samples, seeds, temperature=1.0, label=None, on_batch=None):
        """As of `Explorer`; `seeds` is one for all levels, from 0 to 2^31 - 1."""
        _check_count(num_samples, "`num_samples`")
        check_sampling_arguments(temperature=temperature)
        temperature = temperature_by_level(temperature, self.num_levels)
        integer(0, 2**31 - 1)(seeds, "`seed`")
        indices = np.arange(num_samples)
        request = {
            "seed": tf.constant(seeds, tf.int32),
            "temperature": tf.constant(temperature, tf.float32),
        }
        labels = None
        if self.num_classes is None:
            request["num_samples"] = tf.constant(num_samples)
        else:
            self._check_label(label)
            labels = indices % self.num_classes if label is None else np.full(num_samples, label)
            labels = labels.astype(np.int32)
            request["labels"] = tf.constant(labels)
        images = self._call("sample", **request)["images"].numpy()
        return SampleBatch(images, indices, 0, labels)

    def path(self, first, second, labels=None):
        """As of `Explorer`, without densities."""
        latents = self._call("encode", images=tf.constant(np.stack([first, second])))["latents"]
        flat = latents.numpy()[np.newaxis, :, np.newaxis, np.newaxis]
        (points,) = linear_latents([flat], np.linspace(0.0, 1.0, NUM_POINTS))
        decoded = self._call("decode", latents=tf.constant(points[0, :, 0, 0]))
        return Path(decoded["images"].numpy())

    def score(self, image, label=None):
        """As of `Explorer`, without maps."""
        images = tf.constant(image[np.newaxis])
        if self.num_classes is None:
            bits = self._call("serving_default", images=images)["bits_per_dim"].numpy()
            return ImageScore(float(bits[0]))
        self._check_label(label)
        given = np.arange(self.num_classes) if label is None else np.array([label])
        scores = self._call(
            "serving_default",
            images=tf.repeat(images, len(given), axis=0),
            labels=tf.constant(given, tf.int32),
        )
        log_probs = scores["log_prob"].numpy().astype(np.float64)
        best, probability = int(np.argmax(log_probs)), None
        if label is None:
            probability = 1.0 / float(np.sum(np.exp(log_probs - log_probs[best])))
        bits = float(scores["bits_per_dim"].numpy()[best])
        return ImageScore(bits, None, int(given[best]), probability)

    def _inputs(self, name):
        return self._signatures[name].structured_input_signature[1]

    def _call(self, name, **request):
        try:
            return self._signatures[name](**request)
        except tf.errors.OpError as error:
            found = _REASON.search(error.message)
            reason = found[1] if found else first_line(error)
            raise RunError(f"the SavedModel refuses: {reason}") from error

    def _accepts(self, name, **request):
        try:
            self._signatures[name](**request)
        except tf.errors.OpError:
            return False
        return True

    def _check_label(self, label):
        if label is not None:
            integer(0, self.num_classes - 1)(label, "`label`")

    def _of_one(self):
        """What a request for one image holds besides, of a model with classes."""
        return {"labels": tf.constant([0])} if self.has_classes else {}

    @functools.cached_property
    def _sample_request(self):
        number = {} if self.has_classes else {"num_samples": tf.constant(1)}
        return {"seed": tf.constant(0)} | number | self._of_one()

    def _accepted_num_levels(self):
        for num_levels in range(1, MAX_LEVELS + 1):
            # Noise of scale 0 is finite in every model.
            if self._accepts(
                "sample", temperature=tf.zeros([num_levels], tf.float32), **self._sample_request
            ):
                return num_levels
        raise InputError("`model` must be an export whose signature 'sample' takes temperatures.")

    def _greatest_accepted_grey_level(self):
        def is_accepted(level):
            images = tf.fill([1, *self.image_shape], tf.constant(level, tf.uint8))
            return self._accepts("encode", images=images)

        return _greatest(is_accepted, 255)

    def _greatest_accepted_label(self):
        def is_accepted(label):
            request = self._sample_request | {"labels": tf.constant([label])}
            return self._accepts("sample", temperature=tf.constant(0.0), **request)

        return _greatest(is_accepted, 2**16)


def _greatest(is_accepted, most):
    """The greatest integer up to `most` that is accepted, by bisection; 0 always is."""
    least = 0
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if is_accepted(middle) else (least, middle - 1)
    return least

"""What every export must answer, whoever runs its signatures."""

import numpy as np
import tensorflow as tf

from tf_marscf.distributions.bits_per_dim import bits_per_dim
from tf_marscf.errors import RunError
from tf_marscf.serving.served_model import ServedModel

SIGNATURES = ("sample", "serving_default", "encode", "decode", "log_prob_float")
# Greatest difference of two log-densities of one image, in nats a value of the image.
TOLERANCE = 1e-4
_SEED = 1


class SignatureChecks:
    """Runs the signatures of an export, each on what another one answered.

    Images are samples of the model, which every model finds probable.

    Args:
        run: a function of a signature's name and of a dict of arrays by the names of its inputs,
            which may be some that the signature does not have. It returns a dict of arrays, or
            raises a `RunError`.
        images_distribution: the `Dequantized` that was exported.
        report: called with a line of text a signature.
    """

    def __init__(self, run, images_distribution, report):
        self._run, self._report = run, report
        self._images = images_distribution
        # What the model says, before its weights were made constants.
        self._own = {
            name: (tf.function(function, list(specs.values()), autograph=False), list(specs))
            for name, (function, specs) in ServedModel(images_distribution).signatures().items()
        }
        self._greatest = {}

    def check_all(self, sizes):
        """Checks all signatures with requests of these numbers of images.

        Raises:
            RunError: naming the signature, and what is wrong with its answer.
        """
        for size in sizes:
            self._check(size)
        numbers = " and ".join(map(str, sizes))
        found = {
            "sample": "the same request gives the same images",
            "serving_default": self._agreement("serving_default"),
            "encode": "finite",
            "decode": "gives the very images back that were encoded",
            "log_prob_float": self._agreement("log_prob_float"),
        }
        for name in SIGNATURES:
            self._report(f"checked {name}, {numbers} images: {found[name]}")

    def _agreement(self, name):
        greatest = self._greatest[name]
        return f"log_prob is the model's within {greatest:.1e} nats a value (at most {TOLERANCE:g})"

    def _check(self, size):
        labels = {} if self._images.num_classes is None else {"labels": np.zeros(size, np.int32)}
        images = self._samples(size, labels)
        scored = {"images": images} | labels
        scores = self._finite("serving_default", scored, size)
        self._compare("serving_default", scored, scores["log_prob"])
        expected = bits_per_dim(scores["log_prob"], self._images.num_dimensions)
        if not np.allclose(scores["bits_per_dim"], expected, rtol=1e-5, atol=1e-5):
            raise failure("serving_default", "bits_per_dim is not that of log_prob")
        latents = self._finite("encode", {"images": images}, size)["latents"]
        decoded = self._finite("decode", {"latents": latents}, size)
        num_others = np.count_nonzero(decoded["images"] != images)
        if num_others:
            raise failure("decode", f"{num_others} of {images.size} values are not those encoded")
        continuous = {"values": decoded["values"]} | labels
        log_prob = self._finite("log_prob_float", continuous, size)["log_prob"]
        self._compare("log_prob_float", continuous, log_prob)

    def _samples(self, size, labels):
        request = {
            "num_samples": np.int32(size),
            "seed": np.int32(_SEED),
            "temperature": np.float32(1.0),
            **labels,
        }
        images, again = (self._finite("sample", request, size)["images"] for _ in range(2))
        if images.shape[1:] != tuple(self._images.event_shape) or images.dtype != np.uint8:
            raise failure("sample", f"images are {images.dtype} {list(images.shape)}")
        if images.max() >= self._images.num_grey_levels:
            raise failure("sample", f"an image has grey level {images.max()}")
        if np.any(images != again):
            raise failure("sample", "the same request gives other images")
        return images

    def _finite(self, name, inputs, size):
        """What a signature answers, once it is known to be finite and of so many images."""
        outputs = self._run(name, inputs)
        for key, value in outputs.items():
            if value.shape[:1] != (size,):
                shape = list(value.shape)
                raise failure(name, f"{key} has the shape {shape}; asked was for {size} images")
            if not np.all(np.isfinite(value)):
                raise failure(name, f"{key} is not finite")
        return outputs

    def _compare(self, name, inputs, log_prob):
        """Compares a log-density with what the model says."""
        function, names = self._own[name]
        call = function.get_concrete_function()
        own = call(*(tf.constant(inputs[key]) for key in names))["log_prob"].numpy()
        greatest = float(np.max(np.abs(own - log_prob))) / self._images.num_dimensions
        if not greatest <= TOLERANCE:
            raise failure(
                name,
                f"log_prob is {greatest:.1e} nats a value from the model's; at most {TOLERANCE:g}",
            )
        self._greatest[name] = max(greatest, self._greatest.get(name, 0.0))


def failure(name, problem):
    """A `RunError` that names a signature."""
    return RunError(f"signature `{name}` failed its check: {problem}.")

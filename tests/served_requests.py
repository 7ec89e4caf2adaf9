"""Requests to an export, good and bad, for every way in which tests call it."""

import numpy as np

SIGNATURES = {"serving_default", "log_prob_float", "sample", "encode", "decode"}
NUM_GREY_LEVELS = 17


def pixels(num_images, event_shape=(8, 8, 1)):
    """Noise of 17 grey levels."""
    generator = np.random.default_rng(0)
    return generator.integers(NUM_GREY_LEVELS, size=(num_images, *event_shape)).astype(np.uint8)


def sample_request(num_samples=2, seed=1, temperature=1.0):
    """The inputs of `sample`."""
    return {
        "num_samples": np.int32(num_samples),
        "seed": np.int32(seed),
        "temperature": np.asarray(temperature, np.float32),
    }


def good_requests(num_images):
    """Inputs by signature; those that hold images hold `num_images`."""
    images = pixels(num_images)
    values = ((images + 0.5) / NUM_GREY_LEVELS - 0.5).astype(np.float32)
    latents = np.random.default_rng(1).normal(size=(num_images, 64)).astype(np.float32)
    return {
        "serving_default": {"images": images},
        "log_prob_float": {"values": values},
        "sample": sample_request(2, seed=5, temperature=0.8),
        "encode": {"images": images},
        "decode": {"latents": latents},
    }


def _images(*shape, value=0, dtype=np.uint8):
    return {"images": np.full(shape, value, dtype)}


def _floats(name, *shape, value=0.0):
    return {name: np.full(shape, value, np.float32)}


def _wrong_shape(name):
    return rf"{name} \[.*\] is not compatible with expected shape"


# (signature, inputs, what the error says).
BAD_REQUESTS = [
    ("sample", sample_request(0), "`num_samples` must be an integer >= 1"),
    ("sample", sample_request(2**31 - 1), "`num_samples` must be at most 1024"),
    ("sample", sample_request(temperature=-1.0), "`temperature` must be finite and >= 0"),
    ("sample", sample_request(temperature=np.inf), "`temperature` must be finite and >= 0"),
    ("sample", sample_request(temperature=np.nan), "`temperature` must be finite and >= 0"),
    ("sample", sample_request(temperature=[0.5, -1.0]), "`temperature` must be finite and >= 0"),
    ("sample", sample_request(temperature=[0.5]), "`temperature` must be a number, or one for"),
    ("sample", sample_request(temperature=[0.5] * 3), "`temperature` must be a number, or one for"),
    ("sample", sample_request(temperature=[[0.5] * 2] * 2), "or one for each of 2 levels; got"),
    ("sample", sample_request() | {"seed": np.array([1, 2], np.int32)}, _wrong_shape("seed")),
    (
        "sample",
        sample_request() | {"num_samples": np.array([2], np.int32)},
        _wrong_shape("num_samples"),
    ),
    ("serving_default", _images(8, 8, 1), _wrong_shape("images")),
    ("serving_default", _images(1, 8, 9, 1), _wrong_shape("images")),
    # The noise of the dequantization would broadcast with these.
    ("serving_default", _images(1, 8, 1, 1), _wrong_shape("images")),
    ("encode", _images(1, 1, 8, 1), _wrong_shape("images")),
    ("serving_default", _images(1, 8, 8, 1, value=17), "grey levels below 17"),
    ("encode", _images(1, 8, 8, 1, value=255), "grey levels below 17"),
    ("log_prob_float", _floats("values", 1, 4, 16, 1), _wrong_shape("values")),
    ("log_prob_float", _floats("values", 1, 8, 8, 1, value=np.nan), "`values` must be finite"),
    ("log_prob_float", _floats("values", 1, 8, 8, 1, value=3e38), "log-density .* be finite"),
    ("decode", _floats("latents", 1, 65), _wrong_shape("latents")),
    ("decode", _floats("latents", 64), _wrong_shape("latents")),
    ("decode", _floats("latents", 1, 64, value=np.inf), "`latents` must be finite"),
    ("decode", _floats("latents", 1, 64, value=3e38), "`latents` must be those of a finite"),
]

# Those that TensorFlow itself refuses, before the graph runs.
WRONG_DTYPES = [
    ("serving_default", _images(1, 8, 8, 1, dtype=np.float32)),
    ("encode", _images(1, 8, 8, 1, dtype=np.int32)),
    ("log_prob_float", {"values": np.zeros([1, 8, 8, 1], np.float64)}),
    ("decode", {"latents": np.zeros([1, 64], np.uint8)}),
    ("sample", sample_request() | {"num_samples": np.float32(2)}),
]

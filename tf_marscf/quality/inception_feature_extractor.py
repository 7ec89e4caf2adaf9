"""The original Inception network of FID, by torch-fidelity: figures that compare with published."""

import hashlib
import os

import numpy as np
from scipy.special import softmax

from tf_marscf.errors import (
    InputError,
    MissingInputError,
    MissingPackageError,
    RunError,
    first_line,
    warn,
)
from tf_marscf.files.paths import local_path
from tf_marscf.quality.feature_extractor import (
    FeatureExtractor,
    ImageFeatures,
    as_features,
    reading,
)

_WEIGHTS_FILE = "weights-inception-2015-12-05-6726825d.pth"
_WEIGHTS_HASH = "6726825d"  # The name holds the start of the file's SHA-256.
_WEIGHTS_URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{_WEIGHTS_FILE}"
_PROBE_TIMEOUT_SECONDS = 5.0
_HINT = (
    "FID, KID and Inception score that compare with published figures need torch-fidelity "
    "(pip install 'tf_marscf[fidelity]') and the original Inception weights: pass "
    f"--inception_weights=FILE, with the file that torch-fidelity names, {_WEIGHTS_URL} . Or pass "
    "--feature_extractor=PATH, any Keras model or SavedModel."
)


class InceptionFeatureExtractor(FeatureExtractor):
    """Inception v3 as in the published FID: 2,048 pooled features, and 1,008 class logits.

    torch-fidelity's `FeatureExtractorInceptionV3` does the work, from resizing to 299x299 as
    TensorFlow 1 did it to the logits without bias of the Inception score. It runs on a GPU where
    PyTorch sees one. `weights` is their file, or None for PyTorch's cache, or else a download. It
    is read as plain tensors first: no code in it is run.

    Raises:
        InputError: if the file does not exist (a `MissingInputError`), or holds other weights.
        RunError: if there are no weights, and they cannot be downloaded.
        MissingPackageError: if torch-fidelity is not installed.
    """

    name = "Inception v3 (torch-fidelity)"

    def __init__(self, weights=None):
        if weights is not None:
            weights = local_path("inception_weights", weights)
            if not os.path.isfile(weights):
                raise MissingInputError(
                    f"`inception_weights` must be a file; {weights!r} is none. {_HINT}"
                )
        try:
            import torch
            from torch_fidelity import feature_extractor_inceptionv3 as inception
        except ImportError as error:
            raise MissingPackageError(
                f"torch-fidelity cannot be imported ({error}). {_HINT}"
            ) from error
        self._torch = torch
        if weights is None:
            _check_obtainable(torch, inception.URL_INCEPTION_V3)
        else:
            _check_weights(torch, weights)
        try:
            self._network = inception.FeatureExtractorInceptionV3(
                "inception-v3-compat",
                ["2048", "logits_unbiased"],
                feature_extractor_weights_path=weights,
                verbose=False,
            )
        # Whatever the file holds instead of weights decides what is raised.
        except Exception as error:
            raise InputError(
                "`inception_weights` must hold the weights of the original Inception: "
                f"{first_line(error)}"
            ) from error
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._network.to(self._device)

    def __call__(self, images):
        """Extracts features; see `FeatureExtractor`."""
        self.describe_input(images.shape[1:])
        images = np.broadcast_to(images, (*images.shape[:3], 3))
        channels_first = np.ascontiguousarray(np.moveaxis(images, -1, 1))
        with self._torch.no_grad():
            batch = self._torch.from_numpy(channels_first).to(self._device)
            features, logits = (part.cpu().numpy() for part in self._network(batch))
        as_features(logits, self.name)  # Only the check.
        return ImageFeatures(
            features=as_features(features, self.name),
            probabilities=softmax(logits.astype(np.float64), axis=1),
        )

    def describe_input(self, image_shape):
        """Says what becomes of images; see `FeatureExtractor`."""
        height, width, channels = image_shape
        if channels not in (1, 3):
            raise InputError(f"`image_shape` must have 1 or 3 channels; got {channels}.")
        text = f"resized from {height}x{width} to 299x299"
        return text if channels == 3 else f"{text}, repeated to 3 channels"


def _check_weights(torch, path):
    """Reads the file as plain tensors: torch-fidelity would run code that it might hold."""
    rule = f"`inception_weights` must be a file of PyTorch weights; {path!r} cannot be read as one"
    with reading(path, rule, lambda error: type(error).__name__):
        torch.load(path, map_location="cpu", weights_only=True)
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(_WEIGHTS_HASH):
        warn(
            f"{path!r} is not {_WEIGHTS_FILE} (SHA-256 {_WEIGHTS_HASH}..., got "
            f"{found[:8]}...): its figures may not compare with published ones"
        )


def _check_obtainable(torch, url):
    """Raises `RunError` unless the weights are in PyTorch's cache or their server answers."""
    cached = os.path.join(torch.hub.get_dir(), "checkpoints", os.path.basename(url))
    if os.path.isfile(cached):
        return
    import requests

    try:
        response = requests.head(url, timeout=_PROBE_TIMEOUT_SECONDS, allow_redirects=True)
        response.raise_for_status()
    except requests.RequestException as error:
        raise RunError(
            f"the Inception weights cannot be downloaded ({type(error).__name__}). {_HINT}"
        ) from error

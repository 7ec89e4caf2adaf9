"""Small feature extractors for the tests."""

import keras
import numpy as np

from tf_marscf.quality.feature_extractor import FeatureExtractor, ImageFeatures


class MeanAndSpread(FeatureExtractor):
    """Two features an image, mean and standard deviation, and two classes: dark and light."""

    name = "mean and spread"

    def __init__(self, has_features=True, has_probabilities=True):
        self._has_features = has_features
        self._has_probabilities = has_probabilities

    def __call__(self, images):
        values = images.reshape(len(images), -1) / 255.0
        light = (values.mean(axis=1) > 0.5).astype(float)
        return ImageFeatures(
            features=np.stack([values.mean(axis=1), values.std(axis=1)], axis=1)
            if self._has_features
            else None,
            probabilities=np.stack([light, 1.0 - light], axis=1)
            if self._has_probabilities
            else None,
        )

    def describe_input(self, image_shape):
        return "as they are"


def small_classifier(input_shape=(8, 8, 1), activation=None, pooled=True):
    """A Keras classifier of three classes, with a layer `embedding` of four features."""
    layers = [
        keras.Input(input_shape),
        keras.layers.Conv2D(4, 3, activation="relu", name="embedding" if not pooled else None),
        keras.layers.GlobalAveragePooling2D(name="embedding" if pooled else None),
        keras.layers.Dense(3, activation=activation, name="classes"),
    ]
    keras.utils.set_random_seed(0)
    return keras.Sequential(layers)


def random_images(count=5, size=8, channels=1):
    """Noise of 256 grey levels, uint8."""
    shape = (count, size, size, channels)
    return np.random.default_rng(0).integers(256, size=shape).astype(np.uint8)

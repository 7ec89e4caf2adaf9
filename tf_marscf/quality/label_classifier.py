"""A small classifier of a data set's labels: features for KID and FID where there are no others."""

import dataclasses
import os

import keras
import numpy as np
import tensorflow as tf

from tf_marscf.data import evaluation_pipeline, training_pipeline
from tf_marscf.files.atomic_file import read_json, write_json
from tf_marscf.quality.keras_feature_extractor import KerasFeatureExtractor

NUM_FEATURES = 32
_BATCH_SIZE = 64
_LEARNING_RATE = 2e-3
_LARGEST_NUM_CLASSES = 2**16
_FEATURES = "features"


@dataclasses.dataclass(frozen=True)
class LabelClassifier:
    """A trained classifier.

    Attributes:
        extractor: the `FeatureExtractor`: its last layer before the classes, `NUM_FEATURES` wide.
        facts: a dict that JSON can hold: "accuracy" on the test images, "num_classes", "num_steps".
    """

    extractor: KerasFeatureExtractor
    facts: dict


def label_classifier(dataset, num_steps, seed, path):
    """Trains a classifier on the labels of the training images, or reads it where it lies.

    Two convolutions with stride 2 and a dense layer of `NUM_FEATURES` features: few enough that a
    covariance of some hundred images has full rank. Its figures compare with those of the very same
    classifier and with no others.

    Args:
        dataset: an `ImageDataset` with labels.
        num_steps: training steps, of 64 images.
        seed: of weights and of the order of the images.
        path: of the `.keras` file; there is a JSON file of its facts beside it.

    Returns:
        A `LabelClassifier`.

    Raises:
        InputError: if the data set has no labels, or wrong ones.
    """
    facts_path = f"{path}.json"
    if not os.path.exists(facts_path):
        model, facts = _trained(dataset, num_steps, seed)
        # The facts come last: where they are, the file before them is whole.
        model.save(path)
        write_json(facts_path, facts)
    extractor = KerasFeatureExtractor(path, _FEATURES, pixel_range=(0.0, 1.0))
    extractor.name = f"classifier of the labels of {dataset.name}"
    return LabelClassifier(extractor, read_json(facts_path))


def _trained(dataset, num_steps, seed):
    labels = dataset.labels("train", _LARGEST_NUM_CLASSES)
    num_classes = max(2, int(labels.max()) + 1)
    model = _new_classifier(dataset.image_shape, num_classes, seed)
    model.compile(
        optimizer=keras.optimizers.Adam(_LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        jit_compile=False,
    )
    batch_size = min(_BATCH_SIZE, dataset.num_train_images)
    batches = training_pipeline(dataset.examples("train", num_classes), batch_size, seed)
    # The grey levels are spread over [0, 1], as they are for features.
    scale = 1.0 / (dataset.num_grey_levels - 1)
    model.fit(
        batches.map(lambda pixels, label: (tf.cast(pixels, tf.float32) * scale, label)),
        steps_per_epoch=num_steps,
        shuffle=False,
        verbose=0,
    )
    is_right = [
        np.argmax(model.predict_on_batch(pixels.numpy() * np.float32(scale)), axis=1) == label
        for pixels, label in evaluation_pipeline(dataset.examples("test", num_classes), 200)
    ]
    accuracy = float(np.mean(np.concatenate(is_right)))
    return model, {"accuracy": accuracy, "num_classes": num_classes, "num_steps": num_steps}


def _new_classifier(image_shape, num_classes, seed):
    def initializer(layer):
        return keras.initializers.GlorotUniform(seed=seed + layer)

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Conv2D(16, 3, 2, "same", activation="relu", kernel_initializer=initializer(0)),
            layers.Conv2D(32, 3, 2, "same", activation="relu", kernel_initializer=initializer(1)),
            layers.Flatten(),
            layers.Dense(
                NUM_FEATURES,
                activation="relu",
                kernel_initializer=initializer(2),
                name=_FEATURES,
            ),
            layers.Dense(num_classes, activation="softmax", kernel_initializer=initializer(3)),
        ]
    )

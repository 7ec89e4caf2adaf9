"""Checks, once, that Keras runs on TensorFlow."""

import keras

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        "tf_marscf needs Keras with the TensorFlow backend; got KERAS_BACKEND="
        f"{keras.backend.backend()!r}. Set KERAS_BACKEND=tensorflow before Python starts."
    )

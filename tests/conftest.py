"""What holds for all tests, and the fixtures that tests of several rooms share."""

import keras
import pytest
import tensorflow as tf

# Tracebacks are whole. To shorten them, TensorFlow and Keras wrap each call of an operation or a
# layer, which is a tenth of the time that it takes to trace a graph.
tf.debugging.disable_traceback_filtering()
keras.config.disable_traceback_filtering()


@pytest.fixture(name="store")
def fixture_store(tmp_path):
    """A function that stores bytes in a file, and returns its path."""

    def store(content):
        path = tmp_path / "some.file"
        path.write_bytes(content)
        return path

    return store

"""What holds for all tests."""

import keras
import tensorflow as tf

# Tracebacks are whole. To shorten them, TensorFlow and Keras wrap each call of an operation or a
# layer, which is a tenth of the time that it takes to trace a graph.
tf.debugging.disable_traceback_filtering()
keras.config.disable_traceback_filtering()

"""Training: configuration, the Keras model around the distribution, checkpoints and callbacks."""

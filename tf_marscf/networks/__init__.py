"""Keras 3 layers inside the bijectors and distributions."""

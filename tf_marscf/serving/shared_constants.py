"""Constants that the functions of an export have in common."""

import hashlib


class SharedConstants:
    """Keeps one of each constant that graphs have.

    Every signature needs (nearly) all weights. Were they constants of each one's own graph, an
    export would be five times its size, and a file cannot exceed two gigabytes.
    """

    def __init__(self):
        self._tensors = {}

    def shared(self, value):
        """The eager tensor that stands for a value: the same one for equal values."""
        array = value.numpy()
        key = (value.dtype, tuple(value.shape), hashlib.sha256(array.tobytes()).digest())
        return self._tensors.setdefault(key, value)

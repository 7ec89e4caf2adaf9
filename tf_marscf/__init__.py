"""tf_marscf: normalizing flows with multi-scale autoregressive priors, for TensorFlow.

Public names are loaded when they are first used, so that the import itself is quick.
"""

import importlib

from tf_marscf._version import __version__

_MODULES = {
    "DensityLayer": "tf_marscf.density_layer",
    "Dequantized": "tf_marscf.distributions",
    "MarScf": "tf_marscf.flow",
    "MarScfConfig": "tf_marscf.config",
    "load": "tf_marscf.saving",
    "save": "tf_marscf.saving",
}
_ROOMS = ("reference",)

__all__ = [
    "DensityLayer",
    "Dequantized",
    "MarScf",
    "MarScfConfig",
    "__version__",
    "load",
    "reference",
    "save",
]


def __getattr__(name):
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"tf_marscf.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return __all__

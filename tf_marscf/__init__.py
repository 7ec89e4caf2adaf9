"""tf_marscf: normalizing flows with multi-scale autoregressive priors, for TensorFlow.

The public names, also listed in README.md, are loaded when they are first used, so that the import
itself is quick: classes and functions here, and the rooms of the package, `tf_marscf.bijectors` and
the like. The rooms' docstrings say what is in them; rooms without names of their own are imported
by module, such as `from tf_marscf.training.density_trainer import DensityTrainer`.
"""

import importlib

from tf_marscf._version import __version__

_NAMES = {
    "DensityLayer": "tf_marscf.density_layer",
    "Dequantized": "tf_marscf.distributions",
    "MarScf": "tf_marscf.flow",
    "MarScfConfig": "tf_marscf.config",
    "load": "tf_marscf.saving",
    "save": "tf_marscf.saving",
}
_ROOMS = (
    "benchmarks",
    "bijectors",
    "data",
    "distributions",
    "errors",
    "evaluation",
    "explore",
    "interop",
    "interpolation",
    "kernels",
    "networks",
    "quality",
    "reference",
    "reporting",
    "sampling",
    "serving",
    "training",
)

__all__ = ["__version__", *_NAMES, *_ROOMS]


def __getattr__(name):
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"tf_marscf.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return __all__

"""Runs each signature of a portable export with JAX, as it lies on the disk."""

import dataclasses
import hashlib

import numpy as np

from tf_marscf.errors import MissingPackageError, first_line
from tf_marscf.files.atomic_file import read_json
from tf_marscf.files.zip_archive import read_numpy_arrays
from tf_marscf.runs.portable_weights import STATE_FILE, TASKS_FILE
from tf_marscf.serving.signature_checks import SIGNATURES, SignatureChecks, failure


def require_jax():
    """Raises `MissingPackageError` where JAX cannot be imported."""
    try:
        import jax.export  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(
            f"`check` of a portable export needs JAX, which cannot be imported ({error}): "
            "pip install 'tf_marscf[stablehlo]'."
        ) from error


def check_portable(version, images_distribution, report):
    """Checks a version with requests of a whole batch; arguments as of `check_saved_model`.

    The training step is not run: it is no signature.

    Raises:
        MissingPackageError: without JAX.
        InputError: if the files are damaged.
        RunError: naming the first signature whose answer is wrong.
    """
    require_jax()
    facts = read_json(version / TASKS_FILE)
    state, _ = read_numpy_arrays(
        version / STATE_FILE, "the state of a portable export must be an .npz file of plain arrays"
    )
    for name in SIGNATURES:
        if name not in facts["tasks"]:
            raise failure(name, f"{str(version / TASKS_FILE)!r} has none of that name")
    programs = {}

    def run(name, inputs):
        if name not in programs:
            programs[name] = _Program(version, name, facts, state)
        return programs[name](inputs)

    SignatureChecks(run, images_distribution, report).check_all([facts["batch"]])


class _Program:
    """A program, compiled by JAX; a function of a dict of arrays."""

    def __init__(self, version, name, facts, state):
        import jax.export

        self._name, self._task = name, facts["tasks"][name]
        self._captured = [state[f"v{number}"] for number in self._task["captured"]]
        code = (version / f"{name}.mlirbc").read_bytes()
        if hashlib.sha256(code).hexdigest() != self._task["sha256"]:
            raise failure(name, "its program is damaged: its digest is another")
        inputs, outputs = (
            [jax.ShapeDtypeStruct(tuple(one["shape"]), one["dtype"]) for one in self._task[key]]
            for key in ("inputs", "outputs")
        )

        def stand_in(*arguments):
            return tuple(jax.numpy.zeros(one.shape, one.dtype) for one in outputs)

        # JAX reads no program of others; but an export of a stand-in may be given another one.
        arguments = [*inputs, *(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in self._captured)]
        exported = jax.export.export(jax.jit(stand_in, keep_unused=True))(*arguments)
        exported = dataclasses.replace(exported, mlir_module_serialized=code)
        self._call = jax.jit(exported.call, keep_unused=True)

    def __call__(self, inputs):
        given = [
            # A temperature is one a level.
            np.broadcast_to(inputs[one["name"]], one["shape"]).astype(one["dtype"])
            for one in self._task["inputs"]
        ]
        try:
            results = self._call(*given, *self._captured)
        except Exception as error:  # MLIR's parser and XLA raise many types, all of one meaning.
            raise failure(self._name, first_line(error)) from error
        outputs = self._task["outputs"]
        return {one["name"]: np.asarray(value) for one, value in zip(outputs, results, strict=True)}

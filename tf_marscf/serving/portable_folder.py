"""A model as a folder of StableHLO programs, for machines without TensorFlow.

    NAME.mlirbc   a program: serialized StableHLO
    state.npz     all variables once: arrays v0, v1, ...
    tasks.json    what arguments and results of the programs are
    config.json   the `RunConfig`

`tasks.json` holds an object with

    batch     images of a batch
    shape     [height, width, channels] of an image
    state     of each array of `state.npz`, its shape and dtype
    weights   numbers of the arrays that are the model's variables, in their order
    random    of arrays that were left out: [shape, standard deviation], by name; see `write`
    tasks     of each program:
        inputs, outputs   name, shape and dtype of its first arguments and first results
        captured          numbers of the arrays that are its other arguments, in their order
        aliases           pairs (result, argument): this result replaces that argument's array
        sha256            of its file

and what the programs' maker adds.
"""

import hashlib

import numpy as np
import tensorflow as tf

from tf_marscf.files.atomic_file import write_json
from tf_marscf.runs.portable_weights import STATE_FILE, TASKS_FILE
from tf_marscf.serving.stablehlo_program import stablehlo_program


class PortableFolder:
    """Writes such a folder: programs with `add`, all else with `write`.

    Args:
        directory: the `Path` of an empty directory.
        stands_for: pairs of variables `(one, other)`: in the state, `other` is in the place of
            `one`, so that programs of the one see what programs of the other change.
    """

    def __init__(self, directory, stands_for=()):
        self._directory = directory
        self._stands_for = {id(one.handle): other for one, other in stands_for}
        self._numbers, self._state, self._tasks = {}, [], {}

    def add(self, name, function, specs, variables=()):
        """Writes the program of a function; arguments as of `stablehlo_program`."""
        program = stablehlo_program(function, specs, variables)
        (self._directory / f"{name}.mlirbc").write_bytes(program.code)
        self._tasks[name] = {
            "inputs": _described(program.inputs),
            "outputs": _described(program.outputs),
            "captured": [self._number(one) for one in program.captured],
            "aliases": program.aliases,
            "sha256": hashlib.sha256(program.code).hexdigest(),
        }

    def write(self, config, images_distribution, batch_size, random_above=None, **facts):
        """Writes state, tasks and config.

        Args:
            config: the `RunConfig`.
            images_distribution: the `Dequantized` whose variables are the model's.
            batch_size: images of a batch.
            random_above: float32 arrays of more numbers are left out, with their shape and standard
                deviation in `random`, for measurements of time: a runner makes noise of it.
                None: all are kept.
            **facts: what else `tasks.json` holds.
        """
        weights = [self._number(variable) for variable in images_distribution.variables]
        arrays = {f"v{number}": one.numpy() for number, one in enumerate(self._state)}
        state = [{"shape": one.shape, "dtype": one.dtype.name} for one in arrays.values()]
        random = {}
        for name, values in arrays.items():
            is_large = random_above is not None and values.size > random_above
            if is_large and values.dtype == np.float32 and values.any():
                random[name] = [values.shape, float(values.std())]
                arrays[name] = np.zeros(0, np.float32)
        np.savez_compressed(self._directory / STATE_FILE, **arrays)
        content = {
            "batch": batch_size,
            "shape": config.model.image_shape,
            "state": state,
            "weights": weights,
            "random": random,
            "tasks": self._tasks,
        }
        write_json(self._directory / TASKS_FILE, content | facts)
        config.save(self._directory)

    def _number(self, one):
        """The number of a variable, or of an eager tensor, in the state."""
        if isinstance(one, tf.Variable):
            one = self._stands_for.get(id(one.handle), one)
            key = id(one.handle)
        else:
            key = id(one)
        if key not in self._numbers:
            self._numbers[key] = len(self._state)
            self._state.append(one)  # Kept alive, so that nothing else has its id.
        return self._numbers[key]


def _described(specs):
    return [
        {"name": name, "shape": spec.shape.as_list(), "dtype": spec.dtype.name}
        for name, spec in specs.items()
    ]

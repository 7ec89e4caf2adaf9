"""Runs a model that `bin/export.py --format=stablehlo` wrote, with JAX: no TensorFlow is needed.

python run_stablehlo.py run FOLDER serving_default INPUTS.npz OUTPUTS.npz
python run_stablehlo.py sample FOLDER OUTPUTS.npz --num_samples=16 --seed=1 --temperature=0.9
python run_stablehlo.py train FOLDER IMAGES.npz --num_steps=100 --output=NEW_FOLDER
python run_stablehlo.py memory FOLDER [PROGRAM ...]

FOLDER is a version, such as exports/digits/1. Arrays in .npz files have the names of a program's
inputs, such as `images`. JAX runs on the GPU if it has one, else on the CPU.

`jax.export` has no way to read a StableHLO program that is not of JAX. But an `Exported` is a plain
dataclass: here it is made from a stand-in of the same arguments and results, and then gets the
program. All that is used of JAX is public (0.10.2 was tried).
"""

import argparse
import dataclasses
import hashlib
import json
import shutil
import sys
import zipfile
import zlib
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)  # Steps are counted in int64.
import jax.export  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

NOT_FINITE = "a density, sample or loss that is not finite"


class InputError(ValueError):
    """A file or an argument is not what it must be."""


class PortableModel:
    """The programs of a folder, and the state that they share: weights, optimizer, steps."""

    def __init__(self, folder):
        self.folder, self._compiled = Path(folder), {}
        config = read_json(self.folder / "config.json")
        facts = read_json(self.folder / "tasks.json")
        try:
            self.tasks, self.batch_size = facts["tasks"], facts["batch"]
            self.value_names = facts.get("step_values", [])
            self._state = [shape_of(one) for one in facts["state"]]
            self._random = facts["random"]
            self.num_grey_levels = config["pixels"]["num_grey_levels"]
            self.num_classes = config["model"]["num_classes"]
            self._arguments = {name: self._arguments_of(task) for name, task in self.tasks.items()}
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{folder}/tasks.json and config.json must be those of an export; {error!r}"
            ) from error
        self.state = self._read_state()

    def _arguments_of(self, task):
        """Shapes of the inputs and variables of a program, and of its outputs and new values."""
        inputs, outputs = ([shape_of(one) for one in task[key]] for key in ("inputs", "outputs"))
        arguments = inputs + [self._state[number] for number in task["captured"]]
        replaced = [arguments[argument] for _, argument in sorted(task["aliases"])]
        return arguments, outputs + replaced

    def _read_state(self):
        arrays = read_arrays(self.folder / "state.npz")
        noise, state = np.random.default_rng(0), []
        for number, expected in enumerate(self._state):
            name = f"v{number}"
            if name in self._random:
                shape, deviation = self._random[name]
                arrays[name] = (deviation * noise.standard_normal(shape)).astype(np.float32)
            found = arrays.get(name)
            if found is None or (found.shape, found.dtype) != (expected.shape, expected.dtype):
                raise InputError(f"{self.folder}/state.npz must hold {name}, {expected}")
            state.append(jax.device_put(found))
        return state

    def exported(self, name):
        """A program as a `jax.export.Exported`; its `mlir_module()` is to be read."""
        if name not in self.tasks:
            raise InputError(f"PROGRAM must be one of {', '.join(self.tasks)}; got {name!r}")
        code = (self.folder / f"{name}.mlirbc").read_bytes()
        if hashlib.sha256(code).hexdigest() != self.tasks[name]["sha256"]:
            raise InputError(f"{self.folder}/{name}.mlirbc is damaged: its digest is another")
        arguments, results = self._arguments[name]

        def stand_in(*arguments):
            return tuple(jnp.zeros(one.shape, one.dtype) for one in results)

        exported = jax.export.export(jax.jit(stand_in, keep_unused=True))(*arguments)
        return dataclasses.replace(exported, mlir_module_serialized=code)

    def compiled(self, name):
        """A program as XLA compiled it, a `jax.stages.Compiled`."""
        if name not in self._compiled:
            call = self.exported(name).call
            # What is replaced gives its memory to what replaces it.
            donated = [argument for _, argument in self.tasks[name]["aliases"]]
            try:
                lowered = jax.jit(call, donate_argnums=donated, keep_unused=True).lower(
                    *self._arguments[name][0]
                )
            except Exception as error:  # MLIR's parser raises many types, all of one meaning.
                raise InputError(f"{name}.mlirbc is no program for this JAX: {error}") from error
            self._compiled[name] = lowered.compile()
        return self._compiled[name]

    def memory(self, name):
        """XLA's own analysis of a program's memory: a dict of bytes."""
        stats = self.compiled(name).memory_analysis()
        kinds = ("temp", "argument", "output", "alias", "generated_code")
        return {kind: getattr(stats, f"{kind}_size_in_bytes") for kind in kinds}

    def call(self, name, inputs):
        """Runs a program on a dict of arrays of one batch; returns its outputs, a dict of arrays.

        Variables that it changes are changed in `state`.
        """
        compiled, task = self.compiled(name), self.tasks[name]
        given = [jnp.asarray(inputs[one["name"]], one["dtype"]) for one in task["inputs"]]
        results = compiled(*given, *(self.state[number] for number in task["captured"]))
        for result, argument in task["aliases"]:
            self.state[task["captured"][argument - len(given)]] = results[result]
        return {one["name"]: results[index] for index, one in enumerate(task["outputs"])}

    def checked(self, name, arrays):
        """What a program takes of a dict of arrays of any number of images."""
        self.compiled(name)
        inputs = {}
        for one in self.tasks[name]["inputs"]:
            array = inputs[one["name"]] = arrays.get(one["name"])
            sizes = ", ".join(["N", *map(str, one["shape"][1:])])
            what = f"`{one['name']}` must be {one['dtype']} [{sizes}]"
            if array is None or array.shape[1:] != tuple(one["shape"][1:]) or array.ndim == 0:
                raise InputError(f"{what}; got {None if array is None else array.shape}")
            if array.dtype != one["dtype"] and not (one["name"] == "labels" and array.dtype == int):
                raise InputError(f"{what}; got {array.dtype}")
            limit = {"images": self.num_grey_levels, "labels": self.num_classes}.get(one["name"])
            if limit and array.size and not 0 <= array.min() <= array.max() < limit:
                raise InputError(f"`{one['name']}` must be from 0 to {limit - 1}")
        sizes = {len(array) for array in inputs.values()}
        if len(sizes) != 1 or sizes == {0}:
            raise InputError(f"inputs must be of the same images, at least one; got {sizes}")
        return inputs

    def run(self, name, arrays):
        """Runs a program on any number of images; the last batch is filled up."""
        inputs = self.checked(name, arrays)
        if self.tasks[name]["aliases"]:
            raise InputError(f"{name} changes the state: it is run by `train` alone")
        size, total = self.tasks[name]["inputs"][0]["shape"][0], len(next(iter(inputs.values())))
        parts = []
        for start in range(0, total, size):
            batch = {key: array[start : start + size] for key, array in inputs.items()}
            missing = size - len(next(iter(batch.values())))
            batch = {key: np.append(x, x[:1].repeat(missing, 0), 0) for key, x in batch.items()}
            outputs = self.call(name, batch)
            parts.append({key: np.asarray(x)[: size - missing] for key, x in outputs.items()})
        return finite({key: np.concatenate([part[key] for part in parts]) for key in parts[0]})

    def sample(self, num_samples, seed, temperature, label=None):
        """Draws images: batch k with `seed` + k, so that batches differ."""
        self.compiled("sample")
        inputs = {one["name"]: one["shape"] for one in self.tasks["sample"]["inputs"]}
        if "temperature" not in inputs:
            raise InputError(f"{self.folder} must be an export, and not tasks to be timed")
        if num_samples < 1 or not 0 <= seed < 2**31 or not 0 <= temperature < np.inf:
            raise InputError("num_samples must be >= 1, the seed and the temperature >= 0")
        if (label is None) != (self.num_classes is None):
            raise InputError(f"a label must be given for models with classes only; got {label}")
        request = {"temperature": np.full(inputs["temperature"], temperature)}
        if label is not None:
            if not 0 <= label < self.num_classes:
                raise InputError(f"label must be from 0 to {self.num_classes - 1}; got {label}")
            request["labels"] = np.full([self.batch_size], label)
        parts = [
            self.call("sample", request | {"seed": seed + index})
            for index in range(-(-num_samples // self.batch_size))
        ]
        return finite(
            {key: np.concatenate([part[key] for part in parts])[:num_samples] for key in parts[0]}
        )

    def train(self, arrays, num_steps, shuffle_seed=None):
        """Trains; yields the values of each step by name, such as `bits_per_dim`.

        Batches are taken in the order of the arrays, over and over, or of random permutations.
        """
        inputs = self.checked("train_step", arrays)
        size, total = self.tasks["train_step"]["inputs"][0]["shape"][0], len(inputs["images"])
        random, order = np.random.default_rng(shuffle_seed), np.zeros(0, int)
        for _ in range(num_steps):
            while len(order) < size:
                epoch = np.arange(total) if shuffle_seed is None else random.permutation(total)
                order = np.append(order, epoch)
            rows, order = order[:size], order[size:]
            batch = {key: array[rows] for key, array in inputs.items()}
            values = np.asarray(self.call("train_step", batch)["step_values"])
            yield finite(dict(zip(self.value_names, values.tolist(), strict=True)))

    def save(self, folder):
        """Writes a new folder, with the state as it is; `tf_marscf.load` reads it, too."""
        folder = Path(folder)
        if folder.exists():
            raise InputError(f"the output must be a new folder; {folder} exists")
        if self._random:
            raise InputError(f"{self.folder} was made to measure time: its weights are noise")
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.copytree(self.folder, partial, ignore=shutil.ignore_patterns("state.npz"))
        arrays = {f"v{number}": np.asarray(array) for number, array in enumerate(self.state)}
        np.savez_compressed(partial / "state.npz", **arrays)
        partial.rename(folder)


def shape_of(described):
    """A `jax.ShapeDtypeStruct` of a dict."""
    return jax.ShapeDtypeStruct(tuple(described["shape"]), np.dtype(described["dtype"]))


def finite(values):
    """A dict of numbers or arrays, if all are finite."""
    for name, value in values.items():
        if not np.all(np.isfinite(value)):
            raise FloatingPointError(f"{NOT_FINITE}: {name}")
    return values


def read_json(path):
    """What a JSON file holds."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} must be a JSON file of an export; {error}") from error


def read_arrays(path):
    """The arrays of an .npz file, by name; their checksums are compared."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (AttributeError, EOFError, OSError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} must be an .npz file; {error}") from error


def main():
    """Runs a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, places in {
        "run": ["folder", "program", "inputs", "outputs"],
        "sample": ["folder", "outputs"],
        "train": ["folder", "inputs"],
        "memory": ["folder"],
    }.items():
        command = commands.add_parser(name, allow_abbrev=False)
        for place in places:
            command.add_argument(place)
        if name == "sample":
            command.add_argument("--num_samples", type=int, default=16)
            command.add_argument("--seed", type=int, default=0)
            command.add_argument("--temperature", type=float, default=1.0)
            command.add_argument("--label", type=int)
        elif name == "train":
            command.add_argument("--num_steps", type=int, required=True)
            command.add_argument("--shuffle_seed", type=int, help="default: order of the file")
            command.add_argument("--print_every", type=int, default=1, help="steps")
            command.add_argument("--output", help="a new folder with the trained state")
        elif name == "memory":
            command.add_argument("programs", nargs="*")
    options = parser.parse_args()
    try:
        run_command(options)
    except InputError as error:
        sys.exit(fail(error, 2))
    except (FloatingPointError, OSError) as error:
        sys.exit(fail(error, 1))


def fail(error, status):
    """Prints an error in one line; returns the status."""
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    return status


def run_command(options):
    """Runs a command whose options are parsed."""
    model = PortableModel(options.folder)
    if options.command == "run":
        outputs = model.run(options.program, read_arrays(options.inputs))
        np.savez_compressed(options.outputs, **outputs)
        for name, value in outputs.items():
            if value.ndim == 1:
                print(f"{name}: mean {value.mean():.6f} of {len(value)}")
    elif options.command == "sample":
        sampling = (options.num_samples, options.seed, options.temperature, options.label)
        np.savez_compressed(options.outputs, **model.sample(*sampling))
    elif options.command == "train":
        if options.output is not None and Path(options.output).exists():
            raise InputError(f"--output must be a new folder; {options.output} exists")
        steps = model.train(read_arrays(options.inputs), options.num_steps, options.shuffle_seed)
        for step, values in enumerate(steps, start=1):
            if step % options.print_every == 0:
                print(f"step {step} bits_per_dim {values['bits_per_dim']:.6f}", flush=True)
        if options.output is not None:
            model.save(options.output)
    else:
        for name in options.programs or model.tasks:
            print(json.dumps({"program": name} | model.memory(name)), flush=True)


if __name__ == "__main__":
    main()

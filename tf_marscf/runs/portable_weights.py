"""The weights in a portable export, which another runtime may have trained on."""

from pathlib import Path

from tf_marscf.errors import InputError
from tf_marscf.files.atomic_file import read_json
from tf_marscf.files.zip_archive import read_numpy_arrays

# The arrays v0, v1, ... of all variables, and what the programs make of them.
STATE_FILE, TASKS_FILE = "state.npz", "tasks.json"


def has_portable_weights(directory):
    """Whether a directory is a portable export."""
    return Path(directory, TASKS_FILE).is_file()


def read_portable_weights(directory, variables):
    """Sets a model's variables to the weights in a portable export.

    Args:
        directory: the export, one version of it.
        variables: those of the `Dequantized` that its config describes, in their order.

    Raises:
        InputError: if they are not there, or of other shapes; no variable is set then.
        OSError: if a file cannot be read.
    """
    tasks_file, state_file = Path(directory, TASKS_FILE), Path(directory, STATE_FILE)
    facts = read_json(tasks_file)
    numbers = facts.get("weights")
    is_whole = isinstance(numbers, list) and len(numbers) == len(variables)
    if not is_whole or facts.get("random"):
        raise InputError(
            f"{str(tasks_file)!r} must name the {len(variables)} weights of the model, and leave "
            "none out."
        )
    expected = {f"v{number}": one for number, one in zip(numbers, variables, strict=True)}

    def check(name, shape, dtype):
        wanted = (tuple(expected[name].shape), expected[name].dtype.as_numpy_dtype)
        if (shape, dtype) != wanted:
            raise InputError(
                f"`{name}` of {str(state_file)!r} must be {wanted[1].__name__} of shape "
                f"{wanted[0]}; got {dtype} of shape {shape}."
            )

    rule = "the state of a portable export must be an .npz file of plain arrays"
    arrays, _ = read_numpy_arrays(state_file, rule, is_wanted=expected.__contains__, check=check)
    missing = expected.keys() - arrays.keys()
    if missing:
        raise InputError(f"{str(state_file)!r} must hold all weights; it lacks {min(missing)}.")
    for name, variable in expected.items():
        variable.assign(arrays[name])

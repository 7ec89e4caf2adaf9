"""Recipes: named sets of flag values, files of the names of flagfiles in a folder beside them.

`--flagfile=cifar.flags --recipe=paper` reads `recipes/paper/cifar.flags` as well. Of the flagfile
there remains what says which images, and how often something is written: which model it is and how
it learns is what the recipe says, or else the default. The command line is stronger than both,
wherever a flag stands in it. `--recipe=default`, the default, changes nothing: as everywhere in
absl, what comes last wins.

The project's own flagfiles and recipes are found by their names wherever a command is started: an
installed package has them in its folder `flagfiles`, a checkout beside the package.
"""

import os
import re
from pathlib import Path

from absl import flags

from tf_marscf.errors import InputError

DEFAULT = "default"
# No hyperparameters: they stay as the flagfile has them, unless the recipe sets them.
KEPT = frozenset(
    "checkpoint_every crop data_dir dataset deterministic dry_run evaluate_every "
    "evaluation_batch_size initial_weights intra_op_threads jit_compile log_every max_images "
    "network_dtype num_accumulated_parts num_bits num_channels num_sample_images "
    "num_validation_images progress recompute_couplings recompute_prior resize sample_every seed "
    "strategy tensor_float_32 tiny train_dir".split()
)
_FOLDER = "recipes"
_DIRECTIVE = re.compile("--?(flagfile|recipe)(?:=(.*))?", re.DOTALL)
_FLAG = re.compile("--?([A-Za-z]\\w*)(=.*)?", re.DOTALL)
_PACKAGE = Path(__file__).resolve().parents[1]
_OWN_FOLDERS = (_PACKAGE / "flagfiles", _PACKAGE.parent)
_OWN_NAME = re.compile("\\w+\\.flags")


def with_recipe(arguments):
    """Puts the flags of a recipe between those of the flagfile and those of the command line.

    Args:
        arguments: as of `sys.argv`, the program's name first.

    Returns:
        The arguments in the order in which absl reads them, and a line that says what the recipe
        sets; without a recipe, `arguments` with the paths of their flagfiles, and None.

    Raises:
        InputError: if there is no flagfile, or no recipe of that name for it.
    """
    flagfiles, recipe, others = _sorted_out(arguments[1:])
    if recipe in (None, DEFAULT):
        return _with_found_flagfiles(arguments), None
    if not flagfiles:
        raise InputError(
            f"`recipe` must be {DEFAULT!r} without --flagfile, whose recipe it is; got {recipe!r}."
        )
    if not all(map(os.path.exists, map(os.path.expanduser, flagfiles))):
        return arguments, None  # Which absl refuses.
    files = [path for path in (_path(recipe, file) for file in flagfiles) if os.path.isfile(path)]
    if not files:
        names = ", ".join(map(os.path.basename, flagfiles))
        raise InputError(
            f"`recipe` must be one of those of {names}: {', '.join(_known_recipes(flagfiles))}; "
            f"got {recipe!r}, without a file {_path(recipe, flagfiles[-1])}."
        )
    lines, settings = _lines(flagfiles), _lines(files)
    kept = [line for line in lines if _name(line) in KEPT]
    dropped = {_name(line) for line in lines} - KEPT - {_name(line) for line in settings}
    options = [*kept, *settings, f"--recipe={recipe}"]
    return [arguments[0], *options, *others], _text(recipe, settings, others, dropped)


def check_recipe(arguments):
    """Raises `InputError` if a flagfile, where it would have no effect, gives a recipe."""
    _, recipe, _ = _sorted_out(arguments[1:])
    if flags.FLAGS.recipe != (recipe or DEFAULT):
        raise InputError(
            "`recipe` must be given on the command line, and not in a flagfile; got "
            f"{flags.FLAGS.recipe!r}."
        )


def _sorted_out(arguments):
    """The flagfiles among arguments, the recipe or None, and all others."""
    found, others = {"flagfile": [], "recipe": []}, []
    remaining = iter(arguments)
    for argument in remaining:
        directive = _DIRECTIVE.fullmatch(argument)
        if argument == "--":
            others += [argument, *remaining]
        elif directive is None:
            others.append(argument)
        else:
            name, value = directive.groups()
            value = next(remaining, None) if value is None else value
            if value is None:
                others.append(argument)  # Which absl refuses.
            elif value or name == "recipe":  # As absl, which passes over `--flagfile=`.
                found[name].append(found_flagfile(value) if name == "flagfile" else value)
    return found["flagfile"], (found["recipe"] or [None])[-1], others


def found_flagfile(path):
    """The path of a flagfile: a name that no file here has may be one of the project's own."""
    if _OWN_NAME.fullmatch(path) and not os.path.exists(path):
        for folder in _OWN_FOLDERS:
            if (folder / path).is_file():
                return str(folder / path)
    return path


def _with_found_flagfiles(arguments):
    """Arguments with the paths of flagfiles that were given by their names."""
    changed, before = [], None
    for argument in arguments:
        directive = None if before == "--" else _DIRECTIVE.fullmatch(argument)
        if before in ("--flagfile", "-flagfile"):
            argument = found_flagfile(argument)
        elif directive is not None and directive[1] == "flagfile" and directive[2]:
            argument = f"--flagfile={found_flagfile(directive[2])}"
        changed.append(argument)
        before = before if before == "--" else argument
    return changed


def _path(recipe, flagfile):
    """The file of a recipe for a flagfile."""
    directory, name = os.path.split(os.path.expanduser(flagfile))
    return os.path.join(directory, _FOLDER, recipe, name)


def _known_recipes(flagfiles):
    """The names of recipes that have a file for one of the flagfiles."""
    known = set()
    for file in flagfiles:
        folder = os.path.dirname(os.path.dirname(_path("any", file)))
        if os.path.isdir(folder):
            known |= {name for name in os.listdir(folder) if os.path.isfile(_path(name, file))}
    return [DEFAULT, *sorted(known)]


def _lines(files):
    """The flags in files, in their order."""
    return flags.FLAGS.read_flags_from_files([f"--flagfile={path}" for path in files])


def _text(recipe, lines, others, dropped):
    """What a recipe sets, what of that the command line sets otherwise, and what it drops."""
    settings = {_name(line): line.lstrip("-") for line in lines}
    given = {_name(argument) for argument in others}
    text = ", ".join(setting for name, setting in settings.items() if name not in given)
    overruled = [name for name in settings if name in given]
    if overruled:
        text += f"; from the command line: {', '.join(overruled)}"
    dropped = sorted(dropped - given)
    if dropped:
        text += f"; not from the flagfile, but the default: {', '.join(dropped)}"
    return f"recipe {recipe}: {text}"


def _name(argument):
    """The name of the flag that an argument sets; `--noNAME` sets NAME."""
    flag = _FLAG.match(argument)
    if flag is None:
        return None
    name, value = flag.groups()
    return name.removeprefix("no") if value is None else name

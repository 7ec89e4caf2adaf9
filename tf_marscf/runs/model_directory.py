"""Which directory holds a model's config and weights, in or below one that a user names."""

import re
from pathlib import Path

from tf_marscf.errors import InputError, MissingInputError
from tf_marscf.files.paths import local_path
from tf_marscf.runs.run_config import FILE_NAME

# Where an export keeps the weights that its graph holds as constants.
EXPORTED_WEIGHTS = Path("assets.extra", "tf_marscf")


def model_directory(path, argument="path"):
    """The directory of a model, with a config file in it.

    Args:
        path: a training directory, a directory of imported weights or one that `tf_marscf.save`
            wrote; an export of either format, or one version of it.
        argument: what errors call it.

    Returns:
        Its `Path`: the directory itself or, of an export, one in its version or in the newest.

    Raises:
        MissingInputError: if there is no such directory.
        InputError: if it is none of these.
    """
    path = Path(local_path(argument, path))
    if not path.is_dir():
        raise MissingInputError(f"`{argument}` must be a directory; {str(path)!r} is none.")
    newest = newest_version(path)
    for candidate in (path, path / EXPORTED_WEIGHTS, newest, newest / EXPORTED_WEIGHTS):
        if (candidate / FILE_NAME).is_file():
            return candidate
    raise InputError(
        f"`{argument}` must be a training directory or an export of tf_marscf; {str(path)!r} is "
        "neither."
    )


def model_or_saved_model(path, argument="path"):
    """As `model_directory`, or of an export that lies without its weights the SavedModel.

    Returns:
        `(directory, has_weights)`: with False, the version of an export that is nothing but a
        SavedModel, which no config describes.
    """
    try:
        return model_directory(path, argument), True
    except MissingInputError:
        raise
    except InputError:
        newest = newest_version(path)
        if (newest / "saved_model.pb").is_file():
            return newest, False
        raise


def newest_version(path):
    """The `Path` of the newest version of an export; of another directory, itself."""
    versions = exported_versions(path)
    return Path(versions[max(versions)] if versions else path)


def exported_versions(directory):
    """The versions of an export: a dict from their numbers to paths."""
    return {
        int(path.name): path
        for path in Path(directory).glob("*")
        if re.fullmatch("[0-9]+", path.name) and path.is_dir()
    }

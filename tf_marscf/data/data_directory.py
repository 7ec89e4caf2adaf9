"""The check of a directory that the user names."""

from tf_marscf.errors import InputError, MissingInputError


def existing_directory(config, content, name):
    """Returns the directory of a data set that has no default one.

    Args:
        config: a `DataConfig`; `config.data_dir` is the directory.
        content: what the directory holds, for the error.
        name: name of the data set, for the error.

    Returns:
        The directory.

    Raises:
        MissingInputError: if it does not exist.
        InputError: if it is not given or is no directory.
    """
    rule = f"`data_dir` must be a directory of {content} for dataset {name!r}"
    directory = config.data_path
    if directory is None:
        raise InputError(f"{rule}; got None.")
    if not directory.exists():
        raise MissingInputError(f"{rule}; got {str(directory)!r}, which does not exist.")
    if not directory.is_dir():
        raise InputError(f"{rule}; got {str(directory)!r}, which is no directory.")
    return directory

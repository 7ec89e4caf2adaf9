"""Checks an export that is there, without its training directory."""

from pathlib import Path

from tf_marscf import rules
from tf_marscf.errors import InputError, MissingInputError
from tf_marscf.files.paths import local_path
from tf_marscf.runs.model_directory import exported_versions
from tf_marscf.runs.portable_weights import has_portable_weights
from tf_marscf.saving import load
from tf_marscf.serving.check_portable import check_portable, require_jax
from tf_marscf.serving.check_saved_model import check_saved_model
from tf_marscf.serving.saved_model_file import FILE_NAME


def check_export(output, version=None, report=print):
    """Runs each signature of a version, and compares with the weights that lie beside them.

    Args:
        output: a model's directory, which holds its versions, or one version.
        version: a number; default: the newest.
        report: called with a line of text a signature.

    Returns:
        The path of the version.

    Raises:
        MissingInputError, InputError: if there is no such version, or it is damaged.
        MissingPackageError: if it is a portable export, and JAX cannot be imported.
        RunError: naming the first signature whose answer is wrong.
    """
    path = _version_in(Path(local_path("output", output)), version)
    is_portable = has_portable_weights(path)
    if is_portable:
        require_jax()
    try:
        images_distribution = load(path)
    except InputError as error:
        raise InputError(f"`output` must hold the weights of the export, too: {error}") from error
    check = check_portable if is_portable else check_saved_model
    check(path, images_distribution, report)
    return path


def _version_in(output, version):
    if version is not None:
        rules.integer(1, num_bits=63)(version, "`version`")
    if not output.is_dir():
        raise MissingInputError(
            f"`output` must be the directory of an export; {str(output)!r} is none."
        )
    versions = {0: output} if _is_version(output) else exported_versions(output)
    versions = {number: path for number, path in versions.items() if _is_version(path)}
    if not versions:
        raise InputError(f"`output` must hold a version of an export; {str(output)!r} has none.")
    if version is None:
        version = max(versions)
    if version not in versions:
        seen = ", ".join(map(str, sorted(versions)))
        raise InputError(f"`version` must be one of those there, {seen}; got {version}.")
    return versions[version]


def _is_version(path):
    return (path / FILE_NAME).is_file() or has_portable_weights(path)

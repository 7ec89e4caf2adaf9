"""The error of a data set that is neither on this machine nor can be downloaded."""

from __future__ import annotations

from tf_marscf.errors import RunError


class DataUnavailableError(RunError):
    """A data set is not prepared in the data directory and could not be downloaded.

    The message is one line: which data set, why it could not be had, where it was looked for and
    how to provide it.

    Attributes:
        dataset_name: name of the data set as `load_dataset` takes it.
        data_dir: directory the data set was looked for in.
        reason: why it could not be had.
    """

    def __init__(self, dataset_name: str, data_dir: str, reason: str):
        """Initializes the error from its three parts; line breaks in `reason` become spaces."""
        self.dataset_name = dataset_name
        self.data_dir = data_dir
        self.reason = " ".join(reason.split())
        super().__init__(
            f"Data set {dataset_name!r} is not available: {self.reason}. It was looked for in "
            f"{data_dir}. To provide it, run `tfds build {dataset_name} --data_dir=DIR` on a "
            "machine with network access, copy DIR to this machine and pass --data_dir=DIR."
        )

    def __reduce__(self):
        """Pickles the three parts, so that the error survives a process boundary."""
        return (type(self), (self.dataset_name, self.data_dir, self.reason))

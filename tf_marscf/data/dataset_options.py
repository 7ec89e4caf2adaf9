"""The options that every data set loader understands."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from tf_marscf.errors import InputError
from tf_marscf.files.paths import local_path


@dataclasses.dataclass(frozen=True)
class DatasetOptions:
    """How to load a data set.

    Attributes:
        data_dir: where the images are, a directory or a file as the loader says, or None for the
            loader's default.
        download: whether a missing data set may be downloaded into `data_dir`.
        num_channels: channels of the images: None keeps the data set's own number, 3 copies a
            1-channel image three times.
        num_validation_images: how many images are held out of the training images for
            validation: None is the data set's default, 0 trains on all of them.
        max_images: how many images of each split are kept, the first ones: None is all.
            `load_dataset` sees to it; a loader need not.

    Raises:
        InputError: if `data_dir` is not None and no path on this machine, `num_channels` is not
            None, 1 or 3, or `num_validation_images` is not None and is no integer of at least 0, or
            `max_images` is not None and is no integer of at least 1.
    """

    data_dir: str | os.PathLike[str] | None = None
    download: bool = True
    num_channels: int | None = None
    num_validation_images: int | None = None
    max_images: int | None = None

    def __post_init__(self):
        """Checks the values, and expands a leading `~` of `data_dir`."""
        if self.data_dir is not None:
            object.__setattr__(self, "data_dir", local_path("data_dir", self.data_dir))
        # Python takes True for 1.
        if self.num_channels not in (None, 1, 3) or isinstance(self.num_channels, bool):
            raise InputError(f"`num_channels` must be None, 1 or 3; got {self.num_channels!r}.")
        count = self.num_validation_images
        if count is not None and (isinstance(count, bool) or not isinstance(count, int)):
            raise InputError(f"`num_validation_images` must be None or an integer; got {count!r}.")
        if count is not None and count < 0:
            raise InputError(f"`num_validation_images` must be at least 0; got {count}.")
        limit = self.max_images
        if limit is not None and (
            isinstance(limit, bool) or not isinstance(limit, int) or limit < 1
        ):
            raise InputError(f"`max_images` must be an integer >= 1; got {limit!r}.")

    @property
    def data_path(self) -> Path | None:
        """`data_dir` as a path; None where there is none."""
        return None if self.data_dir is None else Path(self.data_dir)

    def check_no_data_dir(self, name: str) -> None:
        """Checks that no directory is given for a data set that needs none.

        Raises:
            InputError: if one is.
        """
        if self.data_dir is not None:
            raise InputError(
                f"`data_dir` must be None for dataset {name!r}, which is embedded; "
                f"got {self.data_dir!r}."
            )

    def channels_of(self, num_stored: int, source: str) -> int:
        """Returns how many channels the loaded images have.

        Args:
            num_stored: channels of the stored images.
            source: what an error calls the data set, with quotes where it is a name.

        Returns:
            `num_channels`, or `num_stored` where that is None.

        Raises:
            InputError: if `num_channels` is another number and there is no one channel to copy.
        """
        if self.num_channels in (None, num_stored):
            return num_stored
        if num_stored != 1:
            raise InputError(
                f"`num_channels` must be {num_stored} for {source}; got {self.num_channels}."
            )
        return self.num_channels

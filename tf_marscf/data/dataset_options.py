"""The options that every data set loader understands."""

from __future__ import annotations

import dataclasses
import os


@dataclasses.dataclass(frozen=True)
class DatasetOptions:
    """How to load a data set.

    Attributes:
        data_dir: directory that holds prepared data sets, or None for the loader's default.
        download: whether a missing data set may be downloaded into `data_dir`.
        num_channels: channels of the images: None keeps the data set's own number, 3 copies a
            1-channel image three times.
        num_validation_images: how many images are held out of the training images for
            validation: None is the data set's default, 0 trains on all of them.

    Raises:
        ValueError: if `num_channels` is not None, 1 or 3, or `num_validation_images` is not None
            and is no integer of at least 0.
    """

    data_dir: str | os.PathLike[str] | None = None
    download: bool = True
    num_channels: int | None = None
    num_validation_images: int | None = None

    def __post_init__(self):
        """Checks the values."""
        if self.num_channels not in (None, 1, 3):
            raise ValueError(f"`num_channels` must be None, 1 or 3; got {self.num_channels!r}.")
        count = self.num_validation_images
        if count is not None and (isinstance(count, bool) or not isinstance(count, int)):
            raise ValueError(f"`num_validation_images` must be None or an integer; got {count!r}.")
        if count is not None and count < 0:
            raise ValueError(f"`num_validation_images` must be at least 0; got {count}.")

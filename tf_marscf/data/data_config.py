"""Which images, as data."""

import dataclasses
from pathlib import Path

from tf_marscf.config_fields import REQUIRED, Config, boolean, integer, path, string
from tf_marscf.errors import InputError


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig(Config):
    """Which images a model is trained on, and how they are loaded."""

    name: str = string(
        REQUIRED, "digits, fashion_mnist, mnist, cifar10, npz, idx, folder, ...", flag="dataset"
    )
    data_dir: str = path(
        None,
        "Where the images are: a directory or, for npz, a file; None for the data set's default.",
    )
    num_channels: int = integer(
        None, "3 copies a grey image three times; default: as in the data set."
    )
    num_validation_images: int = integer(
        None,
        "Training images held out to choose the best epoch; 0 trains on all of them; default: the "
        "data set's own number.",
        least=0,
    )
    max_images: int = integer(
        None, "Only so many images of each split, the first ones; default: all."
    )
    download: bool = boolean(True, "Whether missing images may be downloaded.", flag=False)

    def __post_init__(self):
        if not isinstance(self.name, str):
            raise InputError(f"`name` of a data set must be a string; got {self.name!r}.")
        # Python takes True for 1.
        if self.num_channels not in (None, 1, 3) or isinstance(self.num_channels, bool):
            raise InputError(f"`num_channels` must be None, 1 or 3; got {self.num_channels!r}.")
        super().__post_init__()

    def to_dict(self):
        """As of every config, without `download`, which does not change the images."""
        values = super().to_dict()
        del values["download"]
        return values

    @property
    def data_path(self):
        """`data_dir` as a `Path`; None where there is none."""
        return None if self.data_dir is None else Path(self.data_dir)

    def check_no_data_dir(self, name):
        """Checks that no directory is given for a data set that needs none.

        Raises:
            InputError: if one is.
        """
        if self.data_dir is not None:
            raise InputError(
                f"`data_dir` must be None for dataset {name!r}, which is embedded; "
                f"got {self.data_dir!r}."
            )

    def channels_of(self, num_stored, source):
        """How many channels the loaded images have.

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

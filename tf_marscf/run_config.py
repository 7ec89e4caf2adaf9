"""What a training directory says of its model: enough to evaluate and sample without flags."""

import dataclasses
import json
import os

from tf_marscf.config import MarScfConfig
from tf_marscf.errors import InputError, MissingInputError
from tf_marscf.json_file import write_json

FILE_NAME = "config.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelConfig:
    """How grey levels become continuous values; see `PixelScaling`."""

    num_grey_levels: int = 256
    published_scaling: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which images a model was trained on; arguments of `load_dataset`."""

    name: str
    data_dir: str = None
    num_channels: int = None
    num_validation_images: int = None
    max_images: int = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The config file of a training directory.

    Attributes:
        model: the architecture.
        pixels: the pixel scaling.
        data: the data set, or None for imported weights.
        training: the arguments of the training, a dict, or None for imported weights.
    """

    model: MarScfConfig
    pixels: PixelConfig
    data: DataConfig = None
    training: dict = None

    def save(self, directory):
        """Writes the config file of a directory, whole or not at all."""
        content = dataclasses.asdict(self) | {"model": self.model.to_dict()}
        write_json(os.path.join(directory, FILE_NAME), content)

    @classmethod
    def load(cls, directory, argument="train_dir"):
        """Reads the config file of a directory.

        Args:
            directory: the directory.
            argument: name of the argument that gave it, for errors.

        Raises:
            MissingInputError: if the directory has none.
            InputError: if it is not a config file.
        """
        path = os.path.join(directory, FILE_NAME)
        if not os.path.isfile(path):
            raise MissingInputError(
                f"`{argument}` must be a training directory, with a {FILE_NAME} in it; "
                f"got {directory!r}."
            )
        try:
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
            return cls(
                model=MarScfConfig(**content["model"]),
                pixels=PixelConfig(**content["pixels"]),
                data=DataConfig(**content["data"]) if content["data"] else None,
                training=content["training"],
            )
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path!r} is not a config of tf_marscf: {error!r}.") from error

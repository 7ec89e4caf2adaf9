"""What a training directory says of its model: enough to evaluate and sample without flags."""

import dataclasses
import numbers
import os

from tf_marscf.config import MarScfConfig
from tf_marscf.errors import InputError, MissingInputError
from tf_marscf.files.text_files import read_json, write_json

FILE_NAME = "config.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelConfig:
    """How grey levels become continuous values; see `PixelScaling`.

    Raises:
        InputError: from the constructor, naming field, rule and value seen.
    """

    num_grey_levels: int = 256
    published_scaling: bool = False

    def __post_init__(self):
        if not _is_integer(self.num_grey_levels) or not 2 <= self.num_grey_levels <= 256:
            raise InputError(
                f"`num_grey_levels` must be an integer in 2 ... 256; got {self.num_grey_levels!r}."
            )
        if not isinstance(self.published_scaling, bool):
            raise InputError(
                f"`published_scaling` must be True or False; got {self.published_scaling!r}."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which images a model was trained on; arguments of `load_dataset`.

    Raises:
        InputError: from the constructor, naming field, rule and value seen.
    """

    name: str
    data_dir: str = None
    num_channels: int = None
    num_validation_images: int = None
    max_images: int = None

    def __post_init__(self):
        if not isinstance(self.name, str):
            raise InputError(f"`name` of a data set must be a string; got {self.name!r}.")
        if not isinstance(self.data_dir, str | os.PathLike | None):
            raise InputError(f"`data_dir` must be a path or None; got {self.data_dir!r}.")
        for field, least in (("num_channels", 1), ("num_validation_images", 0), ("max_images", 1)):
            value = getattr(self, field)
            if value is not None and not (_is_integer(value) and least <= value < 2**63):
                raise InputError(f"`{field}` must be None or an integer >= {least}; got {value!r}.")


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
            content = read_json(path)
            names = {field.name for field in dataclasses.fields(cls)}
            _check_keys("the config", content, names, names)
            if not isinstance(content["training"], dict | None):
                raise InputError(
                    f"`training` must be an object or null; got {content['training']!r}."
                )
            return cls(
                model=_read(MarScfConfig, "model", content["model"]),
                pixels=_read(PixelConfig, "pixels", content["pixels"]),
                data=None
                if content["data"] is None
                else _read(DataConfig, "data", content["data"]),
                training=content["training"],
            )
        except InputError as error:
            raise InputError(f"{path!r} is not a config of tf_marscf: {error}") from error


def _read(config_class, name, content):
    """An object of a config class."""
    if not isinstance(content, dict):
        raise InputError(f"`{name}` must be an object; got {content!r}.")
    fields = dataclasses.fields(config_class)
    required = {field.name for field in fields if field.default is dataclasses.MISSING}
    _check_keys(f"`{name}`", content, required, {field.name for field in fields})
    return config_class(**content)


def _check_keys(name, content, required, known):
    for problem, keys in (("lacks", required - set(content)), ("has", set(content) - known)):
        if keys:
            rule = "it must have" if problem == "lacks" else "which is unknown"
            raise InputError(f"{name} {problem} {', '.join(sorted(keys))}, {rule}.")


def _is_integer(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)

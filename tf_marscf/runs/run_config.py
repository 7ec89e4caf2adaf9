"""What a training directory says of its model: enough to evaluate and sample without flags."""

import dataclasses
import os

from tf_marscf.config import (
    CompilationConfig,
    DequantizationConfig,
    ExecutionConfig,
    MarScfConfig,
)
from tf_marscf.config_fields import (
    REQUIRED,
    Config,
    boolean,
    choice,
    integer,
    path,
    size,
    string,
)
from tf_marscf.data.data_config import CENTER, DataConfig
from tf_marscf.errors import InputError, MissingInputError
from tf_marscf.files.atomic_file import read_json, write_json
from tf_marscf.model_size import (
    check_dequantizer_size,
    num_dequantizer_parameters,
    num_parameters,
)

FILE_NAME = "config.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelConfig(Config):
    """How grey levels become continuous values; see `PixelScaling`."""

    num_grey_levels: int = integer(256, "Of a channel.", least=2, most=256, flag=False)
    published_scaling: bool = boolean(False, "Scale pixels as the published code does.")

    @property
    def num_bits(self):
        """log2 of `num_grey_levels` where that is a power of two below 256; else None."""
        num_bits = self.num_grey_levels.bit_length() - 1
        return num_bits if num_bits < 8 and self.num_grey_levels == 2**num_bits else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class RestoredRunConfig(CompilationConfig):
    """Which weights a command restores and how, and the data set that goes with them."""

    train_dir: str = path(REQUIRED, "Directory of a training run or import.")
    checkpoint: str = choice(
        "best", ("best", "latest"), "Which weights.", rule="'best' or 'latest'"
    )
    dataset: str = string(None, "Data set; default: the one that it was trained on.")
    data_dir: str = path(None, "Where the data set is; default: as in training.")
    crop: tuple = size(
        None,
        "Of another folder of image files, as of `bin/train.py`: N, HEIGHT,WIDTH or center of each "
        "image is kept; default: as in training.",
        words=(CENTER,),
    )
    resize: tuple = size(
        None,
        "Of another folder of image files: N or HEIGHT,WIDTH that images get by area resampling; "
        "default: as in training.",
    )

    def __post_init__(self):
        super().__post_init__()
        for name in ("crop", "resize"):
            value = getattr(self, name)
            if value is not None and self.dataset is None and self.data_dir is None:
                raise InputError(
                    f"`{name}` must be None without `dataset` and `data_dir`: the images of the "
                    f"training are read as its config says; got {value!r}."
                )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The config file of a training directory.

    Attributes:
        model: the architecture, a `MarScfConfig`.
        pixels: the pixel scaling, a `PixelConfig`.
        data: the `DataConfig`, or None for imported weights.
        training: the arguments of the training, a dict, or None for imported weights.
        execution: the `ExecutionConfig` of what is loaded. A training run evaluates and samples
            with the default, whatever it trains with.
        dequantization: the noise within a grey level, a `DequantizationConfig`.
    """

    model: MarScfConfig
    pixels: PixelConfig
    data: DataConfig = None
    training: dict = None
    execution: ExecutionConfig = ExecutionConfig()
    dequantization: DequantizationConfig = DequantizationConfig()

    def __post_init__(self):
        check_dequantizer_size(self.dequantization, self.model.image_shape, self.model.dtype)
        self.model.check_network_dtype(self.execution.network_dtype)
        trained_in = (self.training or {}).get("network_dtype")
        if trained_in != self.model.dtype:  # A training says "float32" where a model says None.
            self.model.check_network_dtype(trained_in)

    @property
    def num_parameters(self):
        """The number of trainable parameters, the dequantizer's included."""
        return num_parameters(self.model) + num_dequantizer_parameters(
            self.dequantization, self.model.image_shape
        )

    def save(self, directory):
        """Writes the config file of a directory, whole or not at all."""
        content = {
            "model": self.model.to_dict(),
            "pixels": self.pixels.to_dict(),
            "data": None if self.data is None else self.data.to_dict(),
            "training": self.training,
        }
        if self.execution.changes():
            content["execution"] = self.execution.changes()
        if self.dequantization.changes():
            content["dequantization"] = self.dequantization.to_dict()
        write_json(os.path.join(directory, FILE_NAME), content)

    @classmethod
    def load(cls, directory, argument="train_dir"):
        """Reads the config file of a directory, which an argument gave.

        Raises:
            MissingInputError: if the directory has none.
            InputError: if it is not a config file.
        """
        file = os.path.join(directory, FILE_NAME)
        if not os.path.isfile(file):
            raise MissingInputError(
                f"`{argument}` must be a training directory, with a {FILE_NAME} in it; "
                f"got {directory!r}."
            )
        try:
            return cls._from_content(read_json(file))
        except InputError as error:
            raise InputError(f"{file!r} is not a config of tf_marscf: {error}") from error

    @classmethod
    def _from_content(cls, content):
        required = {"model", "pixels", "data", "training"}
        _check_keys("the config", content, required, required | {"execution", "dequantization"})
        if not isinstance(content["training"], dict | None):
            raise InputError(f"`training` must be an object or null; got {content['training']!r}.")
        model, execution = content["model"], content.get("execution", {})
        if isinstance(model, dict):
            # Earlier versions wrote the execution among the model's fields.
            names = {field.name for field in dataclasses.fields(ExecutionConfig)} & set(model)
            execution = {name: model[name] for name in names} or execution
            model = {name: value for name, value in model.items() if name not in names}
        data = content["data"]
        return cls(
            model=_read(MarScfConfig, "model", model),
            pixels=_read(PixelConfig, "pixels", content["pixels"]),
            data=None if data is None else _read(DataConfig, "data", data),
            training=content["training"],
            execution=_read(ExecutionConfig, "execution", execution),
            dequantization=_read(
                DequantizationConfig, "dequantization", content.get("dequantization", {})
            ),
        )


def _read(config_class, name, content):
    """An object of a config class."""
    if not isinstance(content, dict):
        raise InputError(f"`{name}` must be an object; got {content!r}.")
    fields = dataclasses.fields(config_class)
    required = {field.name for field in fields if field.default is REQUIRED}
    _check_keys(f"`{name}`", content, required, {field.name for field in fields})
    return config_class(**content)


def _check_keys(name, content, required, known):
    for problem, keys in (("lacks", required - set(content)), ("has", set(content) - known)):
        if keys:
            rule = "it must have" if problem == "lacks" else "which is unknown"
            raise InputError(f"{name} {problem} {', '.join(sorted(keys))}, {rule}.")

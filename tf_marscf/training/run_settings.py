"""The config of a training run, checked against its images before anything is built or written."""

import dataclasses

from tf_marscf.config import DequantizationConfig, MarScfConfig
from tf_marscf.errors import InputError
from tf_marscf.runs.run_config import PixelConfig, RunConfig
from tf_marscf.training.run_directory import load_earlier_config


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """What a training run is, and what it goes on from.

    Attributes:
        config: the `RunConfig`.
        source: the `RunConfig` of the initial weights, or None.
        earlier: the `RunConfig` of the run in the directory that is continued, or None.
    """

    config: RunConfig
    source: RunConfig | None
    earlier: RunConfig | None


def check_settings(
    dataset,
    train_dir,
    data,
    model_options,
    training,
    published_scaling=False,
    initial_weights=None,
    dequantization=None,
):
    """Checks what a `TrainingRun` is given against its images.

    Args:
        dataset: the `ImageDataset`.
        train_dir: directory of the run, or None for none.
        data: the `DataConfig` that it was loaded with.
        model_options: dict, arguments of `MarScfConfig` but for `image_shape`.
        training: a `TrainingConfig`.
        published_scaling: as of `TrainingRun`.
        initial_weights: as of `TrainingRun`.
        dequantization: as of `TrainingRun`.

    Returns:
        The `RunSettings`.

    Raises:
        InputError: if an argument does not suit the images.
        RunError: if the directory holds a run of another model or data set.
    """
    num_images = dataset.num_train_images
    if num_images < training.batch_size:
        raise InputError(
            f"`batch_size` must be at most the {num_images} training images of {data.name}; "
            f"got {training.batch_size}."
        )
    seen = (dataset.image_shape, dataset.num_grey_levels)
    model = MarScfConfig(image_shape=seen[0], **model_options)
    pixels = PixelConfig(num_grey_levels=seen[1], published_scaling=published_scaling)
    source = None
    if initial_weights is not None:
        source = RunConfig.load(initial_weights, "initial_weights")
        model, pixels = source.model, source.pixels
        dequantization = _dequantization(source.dequantization, dequantization)
        expected = (model.image_shape, pixels.num_grey_levels)
        if seen != expected:
            raise InputError(
                f"`dataset` must have images of shape {expected[0]} with {expected[1]} grey "
                f"levels for these `initial_weights`; {data.name} has {seen[0]} with {seen[1]}."
            )
    if model.num_classes is not None and dataset.classes is not None:
        data = dataclasses.replace(data, class_names=dataset.classes.names)
    if training.prior_start_images:
        model.check_gaussian_start("prior_start_images", training.prior_start_images)
        if initial_weights is not None:
            raise InputError(
                "`prior_start_images` must be 0 with `initial_weights`, whose priors are past "
                f"their start; got {training.prior_start_images}."
            )
    config = RunConfig(
        model=model,
        pixels=pixels,
        data=data,
        training=dataclasses.asdict(training),
        dequantization=dequantization or DequantizationConfig(),
    )
    earlier = None if train_dir is None else load_earlier_config(train_dir, config)
    if model.num_classes is not None:
        # A run that is continued, perhaps one of an earlier version, goes on with what it has.
        if dataset.classes is not None and earlier is None:
            dataset.classes.check(model.num_classes)
        for split in dataset.splits():
            dataset.labels(split, model.num_classes)  # The errors come here.
    return RunSettings(config, source, earlier)


def _dequantization(source, given):
    """The `DequantizationConfig` of a run that starts from weights; the given one may be None."""
    if given is None:
        return source
    if given != source and source.dequantization != "uniform":
        raise InputError(
            "`dequantization` must be that of `initial_weights`, which is variational; got "
            f"{given.to_dict()} instead of {source.to_dict()}."
        )
    return given

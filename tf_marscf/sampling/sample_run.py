"""Samples of a training directory's model, as a picture, image files or an array."""

import os

from tf_marscf.data import DataUnavailableError, collect_images
from tf_marscf.distributions.sampling_arguments import temperature_by_level
from tf_marscf.errors import InputError, warn
from tf_marscf.files.atomic_file import read_json
from tf_marscf.files.paths import output_directory, output_file
from tf_marscf.files.result_files import write_result
from tf_marscf.progress import progress_bar
from tf_marscf.runs.restored_run import RestoredRun
from tf_marscf.sampling.image_grid import check_drawable
from tf_marscf.sampling.sample_config import FORMATS
from tf_marscf.sampling.sample_files import (
    check_new_directory,
    save_batch_picture,
    write_npz,
    write_png_directory,
)
from tf_marscf.sampling.sample_stream import SampleStream, check_num_finite, joined


def write_samples(config, report=print, progress=True):
    """Draws samples of a model and writes them, with a JSON file of the numbers beside them.

    Memory is bounded by the batch, but for a grid. All is written whole or not at all.

    Args:
        config: a `SampleConfig`.
        report: called with a line that says what was written.
        progress: whether to show how far it is, on the standard error stream.

    Returns:
        The dict that the JSON file holds. `num_samples` were drawn; `num_finite` of them are in
        `output`, `num_non_finite` have values that are NaN or infinite, and are left out.
        `num_real_images` test images of `dataset` stand beside them. PNGs spread the
        `num_grey_levels` of the model over 0 to 255.

    Raises:
        DataUnavailableError: if `beside_real` is True and the data cannot be had. (If it is None,
            a warning says why there are no real images.)
        MissingInputError: if the directory or checkpoint is missing.
        RunError: if no sample is finite, nothing being written then; or if nothing can be written.
        InputError: if an argument is wrong.
    """
    output, num_samples = config.output, config.num_samples
    if config.format == "png":
        check_new_directory(output)
        output_directory("output", output)
    else:
        output_file("output", output)
    json_path = _checked_json_path(config)
    run = RestoredRun(config)
    image_shape, num_classes = run.run_config.model.image_shape, run.run_config.model.num_classes
    _check_label(config, num_classes)
    temperature_by_level(config.temperature, run.run_config.model.num_levels)
    num_grey_levels = run.run_config.pixels.num_grey_levels
    if config.format != "npz":
        check_drawable(image_shape, "train_dir")
    dataset, real_images = None, None
    if config.format == "grid" and config.beside_real is not False:
        dataset, real_images = _real_images(run)
    batch_size = min(config.batch_size, num_samples)
    stream = SampleStream(
        run.images_distribution, config.seed, batch_size, config.class_of_all, config.jit_compile
    )
    batches = stream.batches(num_samples, config.first_index, config.temperature)
    counts = {"num_finite": 0, "num_non_finite": 0}
    batches = _watched(batches, num_samples, counts, progress)

    def write_files(directory):
        path = directory / os.path.basename(output)
        if config.format == "grid":
            save_batch_picture(path, joined(batches), real_images, num_grey_levels)
        elif config.format == "png":
            write_png_directory(path, batches, num_grey_levels)
        else:
            write_npz(path, batches, image_shape, num_grey_levels)
        label = "all" if config.class_of_all is None else config.class_of_all
        return {
            "output": output,
            "format": config.format,
            "num_samples": num_samples,
            **counts,
            "seed": config.seed,
            "first_index": config.first_index,
            "temperature": config.to_dict()["temperature"],
            **({} if num_classes is None else {"label": label}),
            "checkpoint": config.checkpoint,
            "weights": run.weights,
            "image_shape": list(image_shape),
            "num_grey_levels": num_grey_levels,
            "dataset": dataset,
            "num_real_images": 0 if real_images is None else len(real_images),
            "json_path": json_path,
        }

    result = write_result(json_path, write_files)
    beside, left_out = "", ""
    if real_images is not None:
        beside = f" (left), beside {len(real_images)} test images of {dataset} (right)"
    if counts["num_non_finite"]:
        left_out = f"; {counts['num_non_finite']} of {num_samples} not finite, left out"
    report(
        f"{counts['num_finite']} samples{beside} are in {output}{left_out}; numbers: {json_path}"
    )
    return result


def _check_label(config, num_classes):
    """Raises `InputError` if the label of a `SampleConfig` is none of a model's."""
    seen = "the model of `train_dir`"
    if config.label is not None and num_classes is None:
        raise InputError(
            f"`label` must be None, since {seen} has no classes (num_classes=None); got "
            f"{config.label!r}."
        )
    label = config.class_of_all
    if label is not None and label >= num_classes:
        raise InputError(
            f"`label` must be 'all' or from 0 to {num_classes - 1}, since {seen} has "
            f"num_classes={num_classes}; got {label}."
        )


def _checked_json_path(config):
    """Where the numbers go; by default, files of other results are left alone."""
    output, json_path = config.output, config.json_path
    if json_path is not None:
        if os.path.dirname(os.path.abspath(json_path)) != os.path.dirname(os.path.abspath(output)):
            raise InputError(
                f"`json_path` must be in the directory of `output`, {output!r}; got {json_path!r}."
            )
        return output_file("json_path", json_path)
    stem = output.removesuffix(FORMATS[config.format])
    paths = [f"{stem}.{config.format}.json", f"{stem}.json"]
    for path in paths:
        if _is_of(path, output):
            return path
    for path in reversed(paths):
        if not os.path.lexists(path):
            return output_file("output", path)
    raise InputError(
        f"`output` must have a name of its own; {paths[0]!r} and {paths[1]!r} are of others."
    )


def _is_of(json_path, output):
    """Whether a file is the JSON file of samples in `output`."""
    try:
        found = read_json(json_path).get("output") if os.path.isfile(json_path) else None
    except InputError:  # It is somebody else's.
        return False
    return isinstance(found, str) and os.path.basename(found) == os.path.basename(output)


def _real_images(run):
    """Name of the data set and its first test images; (None, None) where they are not at hand."""
    config = run.config
    try:
        images = run.load_dataset(download=bool(config.beside_real))
    except (DataUnavailableError, InputError) as error:
        if config.beside_real or config.dataset is not None or config.data_dir is not None:
            raise
        warn(f"no real images beside the samples: {error}")
        return None, None
    num_images = min(config.num_samples, images.num_test_images)
    return images.name, collect_images(images.test, num_images)


def _watched(batches, num_samples, counts, progress):
    """Passes batches on, counts them and shows how far it is; raises where none is finite."""
    with progress_bar(num_samples, "drawing", "samples", progress) as bar:
        for batch in batches:
            counts["num_finite"] += len(batch.images)
            counts["num_non_finite"] += batch.num_non_finite
            yield batch
            bar.update(len(batch.images) + batch.num_non_finite)
    check_num_finite(counts["num_finite"], num_samples)

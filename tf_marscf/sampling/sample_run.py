"""Samples of a training directory's model, as a picture, image files or an array."""

import os
import types
from pathlib import Path

import numpy as np
import tqdm

from tf_marscf.data import DataUnavailableError, collect_images
from tf_marscf.errors import InputError, warn
from tf_marscf.files.atomic_file import read_json
from tf_marscf.files.paths import local_path, output_directory, output_file
from tf_marscf.files.result_files import write_result
from tf_marscf.runs.restored_run import load_evaluated_dataset
from tf_marscf.runs.run_config import RunConfig
from tf_marscf.runs.trained_model import restore_model, weights_digest
from tf_marscf.sampling.image_grid import check_drawable, save_picture
from tf_marscf.sampling.sample_files import check_new_directory, write_npz, write_png_directory
from tf_marscf.sampling.sample_stream import (
    SampleStream,
    check_num_finite,
    check_sampling_arguments,
)

# Each format, and what its output's name ends with.
FORMATS = {"grid": ".png", "png": "", "npz": ".npz"}
MAX_GRID_SAMPLES = 10_000  # The one format that is in memory as a whole.


class SampleSummary(types.SimpleNamespace):
    """What `write_samples` wrote, and from what: the entries of its JSON file as attributes.

    `num_samples` were drawn; `num_finite` of them are in `output`, `num_non_finite` have values
    that are NaN or infinite, and are left out. `num_real_images` test images of `dataset` stand
    beside them. PNGs spread the `num_grey_levels` of the model over 0 to 255.
    """

    def to_dict(self):
        """A dict that JSON can hold."""
        return dict(vars(self))

    def __str__(self):
        beside = ""
        if self.num_real_images:
            beside = f" (left), beside {self.num_real_images} test images of {self.dataset} (right)"
        left_out = ""
        if self.num_non_finite:
            left_out = f"; {self.num_non_finite} of {self.num_samples} not finite, left out"
        return f"{self.num_finite} samples{beside} are in {self.output}{left_out}"


def write_samples(
    train_dir,
    output=None,
    output_format="grid",
    *,
    num_samples=64,
    seed=0,
    first_index=0,
    temperature=1.0,
    batch_size=64,
    which="best",
    beside_real=None,
    dataset=None,
    data_dir=None,
    json_path=None,
    progress=True,
):
    """Draws samples and writes them, with a JSON file of the numbers beside them.

    Memory is bounded by the batch, but for a grid. All is written whole or not at all.

    Args:
        train_dir: the training directory.
        output: what to write; default: TRAIN_DIR/samples_seed_SEED, with what tells it from
            other samples of the directory.
        output_format: "grid", one PNG of all samples, with as many real images beside them;
            "png", a new directory with one PNG a sample; or "npz", an archive (`write_npz`).
        num_samples: how many; at most `MAX_GRID_SAMPLES` in a grid.
        seed: Python `int`; sample i is a function of (seed, i) alone (see `SampleStream`).
        first_index: number of the first sample.
        temperature: scales the prior's noise.
        batch_size: samples drawn at a time.
        which: "best" or "latest" checkpoint.
        beside_real: whether to draw test images beside the grid. None: where they are at hand
            (nothing is downloaded for them); else a warning says why not.
        dataset: name of the data set of the real images; default: as in training.
        data_dir: where it is; default: as in training.
        json_path: JSON file for the numbers, in the directory of `output`; default: the name of
            `output` with `.json`, or if that is of another format, or not of samples,
            `.FORMAT.json`.
        progress: whether to show a progress bar, on the standard error stream.

    Returns:
        A `SampleSummary`.

    Raises:
        DataUnavailableError: if `beside_real` is True and the data cannot be had.
        MissingInputError: if the directory or checkpoint is missing.
        RunError: if no sample is finite, nothing being written then; or if nothing can be written.
        InputError: if an argument is wrong.
    """
    train_dir = local_path("train_dir", train_dir)
    check_sampling_arguments(
        num_samples=num_samples,
        seed=seed,
        first_index=first_index,
        temperature=temperature,
        batch_size=batch_size,
    )
    _check_format(output_format, num_samples, beside_real, dataset, data_dir)
    output = _checked_output(train_dir, output, output_format, seed, first_index, temperature)
    json_path = _checked_json_path(json_path, output, output_format)
    config = RunConfig.load(train_dir)
    if output_format != "npz":
        check_drawable(config.model.image_shape, "train_dir")
    real_dataset, real_images = None, None
    if output_format == "grid" and beside_real is not False:
        real_dataset, real_images = _real_images(
            config, num_samples, dataset, data_dir, bool(beside_real)
        )
    images_distribution = restore_model(config, train_dir, which)
    stream = SampleStream(images_distribution, seed, temperature, min(batch_size, num_samples))
    counts = {"num_finite": 0, "num_non_finite": 0}
    batches = _watched(stream.batches(num_samples, first_index), num_samples, counts, progress)
    num_grey_levels = config.pixels.num_grey_levels

    def write_files(directory):
        path = directory / os.path.basename(output)
        if output_format == "grid":
            samples = np.concatenate([batch.images for batch in batches])
            save_picture(path, samples, real_images, num_grey_levels)
        elif output_format == "png":
            write_png_directory(path, batches, num_grey_levels)
        else:
            write_npz(path, batches, config.model.image_shape, num_grey_levels)
        return {
            "output": output,
            "format": output_format,
            "num_samples": num_samples,
            **counts,
            "seed": seed,
            "first_index": first_index,
            "temperature": float(temperature),
            "checkpoint": which,
            "weights": weights_digest(images_distribution),
            "image_shape": list(config.model.image_shape),
            "num_grey_levels": num_grey_levels,
            "dataset": real_dataset,
            "num_real_images": 0 if real_images is None else len(real_images),
            "json_path": json_path,
        }

    return SampleSummary(**write_result(json_path, write_files))


def _check_format(output_format, num_samples, beside_real, dataset, data_dir):
    if output_format not in FORMATS:
        raise InputError(f"`output_format` must be one of {tuple(FORMATS)}; got {output_format!r}.")
    is_grid = output_format == "grid"
    if is_grid and num_samples > MAX_GRID_SAMPLES:
        raise InputError(
            f"`num_samples` must be at most {MAX_GRID_SAMPLES} in a grid; got {num_samples}. The "
            "formats 'png' and 'npz' take any number."
        )
    if beside_real and not is_grid:
        raise InputError(
            f"`beside_real` must be None or False unless the format is 'grid'; got True with "
            f"{output_format!r}."
        )
    for name, value in (("dataset", dataset), ("data_dir", data_dir)):
        if value is not None and (not is_grid or beside_real is False):
            raise InputError(
                f"`{name}` must be None where there are no real images beside the samples; got "
                f"{value!r}."
            )


def _checked_output(train_dir, output, output_format, seed, first_index, temperature):
    suffix = FORMATS[output_format]
    if output is None:
        name = f"samples_seed_{seed}"
        if first_index:
            name += f"_from_{first_index}"
        if temperature != 1.0:
            name += f"_temperature_{temperature:g}"
        output = os.path.join(train_dir, name + suffix)
    output = local_path("output", output)
    output = output.rstrip(os.sep) or output
    if Path(output).suffix != suffix and (suffix or output.endswith((".png", ".npz"))):
        wanted = f"end with {suffix!r}" if suffix else "be a directory"
        raise InputError(f"`output` must {wanted} for format {output_format!r}; got {output!r}.")
    if output_format == "png":
        check_new_directory(output)
        return output_directory("output", output)
    return output_file("output", output)


def _checked_json_path(json_path, output, output_format):
    """Where the numbers go; by default, files of other results are left alone."""
    if json_path is not None:
        if os.path.dirname(os.path.abspath(json_path)) != os.path.dirname(os.path.abspath(output)):
            raise InputError(
                f"`json_path` must be in the directory of `output`, {output!r}; got {json_path!r}."
            )
        return output_file("json_path", json_path)
    stem = output.removesuffix(FORMATS[output_format])
    paths = [f"{stem}.{output_format}.json", f"{stem}.json"]
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


def _real_images(config, num_images, dataset, data_dir, is_needed):
    """Name of the data set and its first test images; (None, None) where they are not at hand."""
    try:
        images = load_evaluated_dataset(config, dataset, data_dir, download=is_needed)
    except (DataUnavailableError, InputError) as error:
        if is_needed or dataset is not None or data_dir is not None:
            raise
        warn(f"no real images beside the samples: {error}")
        return None, None
    return images.name, collect_images(images.test, min(num_images, images.num_test_images))


def _watched(batches, num_samples, counts, progress):
    """Passes batches on, counts them and shows how far it is; raises where none is finite."""
    # Where nobody watches, such as in a log, a line every ten seconds is enough.
    with tqdm.tqdm(
        total=num_samples, desc="drawing", unit=" samples", disable=not progress, mininterval=1.0
    ) as bar:
        for batch in batches:
            counts["num_finite"] += len(batch.images)
            counts["num_non_finite"] += batch.num_non_finite
            yield batch
            bar.update(len(batch.images) + batch.num_non_finite)
    check_num_finite(counts["num_finite"], num_samples)

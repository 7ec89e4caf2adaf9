"""A directory of image files."""

import hashlib
import os
from collections import Counter
from pathlib import Path, PurePosixPath

from tf_marscf.data.class_folders import ClassFolders
from tf_marscf.data.folder_images import FolderImages
from tf_marscf.data.image_dataset import SPLITS, ImageDataset
from tf_marscf.data.image_file import IMAGE_SUFFIXES
from tf_marscf.errors import InputError, warn
from tf_marscf.files.input_files import shortened

MAX_ARRAY_BYTES = 2 * 1024**3
_NUM_SHOWN_KINDS = 8


def load_image_folder(config):
    """Loads the PNG, JPEG, WebP and BMP files of a directory.

    With folders `train` and `test` in it, and perhaps `validation`, these are the splits. Without
    `validation`, some of `train` is held out. Without any of the three folders, a tenth of all
    images, at least one, is the test set, and by default as many are for validation.

    Which images are chosen depends on nothing but their paths below the directory. They may lie
    in further folders, such as one a label. Within a split the order is that of the sorted paths.
    For models with classes, an image's class is the first of these folders: label y stands for the
    y-th of all their names, sorted.
    Hidden files and folders and those with other endings are passed over; a warning counts them.
    Images, of 256 grey levels, are turned the right way up where EXIF data say so. Then `crop`
    cuts them and `resize` resamples them; without both all must have one size.

    All files are decoded once and checked. Images that take more than 2 GiB are then read again
    whenever they are needed.
    """
    # Not tfds.ImageFolder, though its layout is read: it passes over images that lie in no label's
    # folder and over BMP files, takes hidden files for images, shuffles, and decodes without a
    # check, so that a damaged or odd file would end an epoch half way.
    root = config.existing_directory("images")
    names = {
        split: sorted(paths)
        for split, paths in _split_paths(_image_paths(root), config, root).items()
        if paths
    }
    splits = {split: [root / path for path in paths] for split, paths in names.items()}
    images = FolderImages(splits, config)
    keeps_arrays = images.num_bytes <= MAX_ARRAY_BYTES
    datasets = {"validation": None} | {
        split: images.read(splits[split], keeps_arrays) for split in SPLITS if split in splits
    }
    classes = ClassFolders(root, _split_folders(root), names, config.class_names)
    return ImageDataset(
        **datasets,
        num_grey_levels=256,
        name=config.name,
        read_labels=classes.labels,
        classes=classes,
        notes=images.notes(),
    )


def _split_folders(root):
    """The folders of a directory that are splits."""
    return [split for split in SPLITS if (root / split).is_dir()]


def _image_paths(root):
    """The sorted paths of all images below a directory, relative to it, with slashes."""
    paths, left_out = [], Counter()
    try:
        for directory, folders, files in os.walk(root, onerror=_raise, followlinks=True):
            left_out["hidden"] += sum(name.startswith(".") for name in folders)
            folders[:] = [name for name in folders if not name.startswith(".")]
            _check_links(root, Path(directory), folders)
            for name in files:
                if not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES):
                    paths.append(Path(directory, name).relative_to(root).as_posix())
                else:
                    left_out[_kind(name)] += 1
    # Such as a folder that may not be read.
    except OSError as error:
        raise InputError(
            f"`data_dir` must be a directory whose folders can be read; got {error.strerror} for "
            f"{error.filename!r}."
        ) from error
    counts = _counts(left_out)
    if not paths:
        raise InputError(
            f"`data_dir` must hold images ({', '.join(IMAGE_SUFFIXES)}); got {str(root)!r}, which "
            f"holds none{f', but {counts}' if counts else ''}."
        )
    if counts:
        warn(f"in {root}, not read as images: {counts}")
    return sorted(paths)


def _kind(name):
    """What a warning calls files that are left out."""
    if name.startswith("."):
        return "hidden"
    return shortened(PurePosixPath(name).suffix.lower()) or "without suffix"


def _counts(left_out):
    """How many of each kind, most first."""
    counts = [f"{count} {kind}" for kind, count in (+left_out).most_common()]
    num_more = len(counts) - _NUM_SHOWN_KINDS
    more = [f"{num_more} more kinds"] if num_more > 0 else []
    return ", ".join(counts[:_NUM_SHOWN_KINDS] + more)


def _raise(error):
    """Raises what os.walk would pass over."""
    raise error


def _check_links(root, directory, folders):
    """Refuses links by which a folder holds itself: its images would come up again and again."""
    for link in (directory / name for name in folders if (directory / name).is_symlink()):
        target = link.resolve()
        # All that was walked through on the way here, which may have been links as well.
        walked = [parent for parent in link.parents if parent.is_relative_to(root)]
        if any(parent.resolve().is_relative_to(target) for parent in walked):
            raise InputError(
                f"`data_dir` must hold no link to a folder that the link lies in; got {link}."
            )


def _split_paths(paths, config, root):
    """Shares the images out between the splits: a dict of lists; there may be none or None."""
    if not _split_folders(root):
        return _split_all(paths, config, root)
    splits = {split: [] for split in SPLITS}
    for path in paths:
        folder = PurePosixPath(path).parts[0]
        if folder not in splits:
            # Such as `val`: better an error than images that are silently left out.
            raise InputError(
                f"`data_dir` must hold images in its folders {', '.join(SPLITS)} alone, since it "
                f"has one of them; got {root / path}."
            )
        splits[folder].append(path)
    for split in ("train", "test"):
        if not splits[split]:
            raise InputError(
                f"`data_dir` must hold images in both folders 'train' and 'test', or have neither; "
                f"got {str(root)!r}, which has none in {split!r}."
            )
    if not splits["validation"]:
        return splits | _hold_out(_by_hash(splits["train"]), config)
    if config.num_validation_images is not None:
        raise InputError(
            f"`num_validation_images` must be None, since {str(root)!r} has a folder "
            f"'validation'; got {config.num_validation_images}."
        )
    return splits


def _split_all(paths, config, root):
    """Shares out images of a directory that says nothing of splits."""
    if len(paths) < 2:
        raise InputError(
            "`data_dir` must hold at least 2 images, one to train on and one to test on; got "
            f"{str(root)!r}, which holds 1."
        )
    num_test = max(1, len(paths) // 10)
    # The test images come first, so that they do not depend on the number for validation.
    shuffled = _by_hash(paths)
    development = shuffled[num_test:]
    default = min(num_test, len(development) - 1)
    return {"test": shuffled[:num_test]} | _hold_out(development, config, default)


def _hold_out(shuffled, config, default=None):
    """The first of the shuffled paths are for validation, the others for training."""
    train, validation = config.hold_out(shuffled[::-1], default)
    return {"train": train, "validation": validation}


def _by_hash(paths):
    """Mixes paths, always in the same way: the last ones of a sorted list would be one label's."""
    return sorted(paths, key=lambda path: hashlib.sha256(os.fsencode(path)).digest())

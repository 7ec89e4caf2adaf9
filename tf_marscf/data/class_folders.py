"""The classes of images in folders: of each image, the first folder inside of its split."""

import functools
from pathlib import PurePosixPath

import numpy as np

from tf_marscf.errors import InputError, warn
from tf_marscf.files.input_files import quoted

_NUM_SHOWN_NAMES = 8


class ClassFolders:
    """The classes of a directory's images, and their labels.

    Args:
        root: `Path` of the directory.
        split_folders: names of the folders in it that are splits; none where it says nothing of
            splits.
        paths: dict from splits to the paths of their images below `root`, with slashes.
        names: names of the classes in the order of their labels; None: all there are, sorted.
    """

    def __init__(self, root, split_folders, paths, names=None):
        self._root = root
        self._split_folders = split_folders
        self._paths = paths
        self._given_names = names

    @functools.cached_property
    def names(self):
        """The names of the classes, in the order of their labels.

        Raises:
            InputError: if an image lies in no folder of a class, or of none that was given.
        """
        found = sorted({name for classes in self._classes.values() for name in classes})
        if self._given_names is None:
            return tuple(found)
        for name in found:
            if name not in self._given_names:
                raise InputError(
                    "`data_dir` must hold images of the classes that the model was trained on, "
                    f"{_listed(self._given_names)}; got {str(self._root)!r} with {quoted(name)}."
                )
        return self._given_names

    def line(self):
        """The classes and their labels, in words; errors are those of `names`."""
        shown = [f"{label} {quoted(name)}" for label, name in enumerate(self.names)]
        return f"classes: {_joined(shown)}"

    def labels(self, split):
        """The labels of a split's images, integers [num_images]; errors are those of `names`."""
        numbers = {name: number for number, name in enumerate(self.names)}
        return np.array([numbers[name] for name in self._classes[split]])

    def check(self, num_classes):
        """Checks what a new training needs; a warning names classes without training images.

        Raises:
            InputError: if there are not `num_classes` classes, one has an empty folder, or is in
                one of the folders `train` and `test` alone, or in `validation` and not in those; or
                as `names`.
        """
        names = self.names
        for folder in self._folders():
            if folder not in self._folders_with_images:
                raise InputError(
                    "`data_dir` must hold images in the folder of each class, for a model with "
                    f"classes; got {self._root / folder}, which has none."
                )
        for split in self._split_folders:
            missing = [name for name in names if f"{split}/{name}" not in self._folders_with_images]
            if missing and split != "validation":
                raise InputError(
                    "`data_dir` must hold images of each class in both folders 'train' and 'test', "
                    f"for a model with classes; got {str(self._root)!r}, where {split!r} has none "
                    f"of {_listed(missing)}."
                )
        self.check_number(num_classes)
        missing = set(names) - set(self._classes["train"])
        if missing:
            warn(f"no image is left to train on of: {_listed(sorted(missing))}")

    def check_number(self, num_classes):
        """Raises `InputError` if there are not `num_classes` classes; others are as of `names`."""
        if len(self.names) != num_classes:
            raise InputError(
                f"`num_classes` must be the number of classes in {str(self._root)!r}, "
                f"{len(self.names)} ({_listed(self.names)}); got {num_classes}."
            )

    @functools.cached_property
    def _classes(self):
        """The class of each image, by split."""
        return {
            split: [PurePosixPath(path).parts[self._place] for path in paths]
            for split, paths in self._checked_paths.items()
        }

    @functools.cached_property
    def _folders_with_images(self):
        """The folders of classes, relative to the directory, in which or below which are images."""
        return {
            "/".join(PurePosixPath(path).parts[: self._place + 1])
            for paths in self._checked_paths.values()
            for path in paths
        }

    def _folders(self):
        """The folders of classes, with or without images, relative to the directory."""
        for parent in self._split_folders or [""]:
            for folder in sorted((self._root / parent).iterdir()):
                if folder.is_dir() and not folder.name.startswith("."):
                    yield folder.relative_to(self._root).as_posix()

    @property
    def _place(self):
        """Which part of a path is the folder of the class."""
        return 1 if self._split_folders else 0

    @functools.cached_property
    def _checked_paths(self):
        """The paths, all of which are in a folder of a class."""
        for path in (path for paths in self._paths.values() for path in paths):
            if path.count("/") <= self._place:
                raise InputError(
                    "`data_dir` must hold the images in folders, one a class, for a model with "
                    f"classes; got {self._root / path}."
                )
        return self._paths


def _listed(names):
    return _joined([quoted(name) for name in names])


def _joined(texts):
    """The first texts, and how many more there are."""
    num_more = len(texts) - _NUM_SHOWN_NAMES
    more = f" and {num_more:,} more" if num_more > 0 else ""
    return ", ".join(texts[:_NUM_SHOWN_NAMES]) + more

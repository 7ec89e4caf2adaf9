"""What a directory that a user names holds of a model, opened for the page."""

import dataclasses
import os

from tf_marscf.errors import InputError
from tf_marscf.explore.compared_images import ComparedImages
from tf_marscf.explore.explorer import Explorer
from tf_marscf.explore.saved_model_explorer import SavedModelExplorer
from tf_marscf.runs.model_directory import model_or_saved_model
from tf_marscf.runs.restored_run import RestoredRun
from tf_marscf.runs.run_config import RestoredRunConfig
from tf_marscf.sampling.image_grid import check_drawable


@dataclasses.dataclass(frozen=True)
class OpenedModel:
    """A model and the test images that go with it.

    Attributes:
        explorer: an `Explorer` or, of a SavedModel without weights, a `SavedModelExplorer`.
        compared: the `ComparedImages`; None of a SavedModel without weights.
        is_reduced: whether its images have fewer grey levels than those in files.
        facts: what is known of it, pairs (name, value).
    """

    explorer: object
    compared: ComparedImages
    is_reduced: bool
    facts: list


def open_model(config):
    """The `OpenedModel` of an `ExploreConfig`.

    Raises:
        MissingInputError, InputError, RunError: if there is none, or it cannot be read.
        DataUnavailableError, InputError: if the data set that the config names cannot be had.
    """
    directory, has_weights = model_or_saved_model(config.model, "model")
    if not has_weights:
        for name in ("dataset", "data_dir"):
            if getattr(config, name) is not None:
                raise InputError(
                    f"`{name}` must be None for a SavedModel without its weights, which are not "
                    f"compared with test images; got {getattr(config, name)!r}."
                )
        explorer = SavedModelExplorer(directory)
        check_drawable(explorer.image_shape, "model")
        return OpenedModel(explorer, None, False, _facts(explorer))
    fields = config.restored_fields | {"train_dir": os.fspath(directory)}
    run = RestoredRun(RestoredRunConfig(**fields), "model")
    check_drawable(run.run_config.model.image_shape, "model")
    explorer = Explorer(run.images_distribution, config.jit_compile)
    compared = ComparedImages(run, config.num_test_images)
    facts = _facts(explorer) + [("parameters", f"{run.run_config.num_parameters:,}")]
    if compared.name is not None:
        facts.append(("data", compared.name))
    return OpenedModel(explorer, compared, run.run_config.pixels.num_bits is not None, facts)


def _facts(explorer):
    height, width, num_channels = explorer.image_shape
    facts = [
        ("images", f"{height} x {width} x {num_channels}"),
        ("grey levels", str(explorer.num_grey_levels)),
        ("levels", str(explorer.num_levels)),
    ]
    if explorer.num_classes is not None:
        facts.append(("classes", str(explorer.num_classes)))
    return facts

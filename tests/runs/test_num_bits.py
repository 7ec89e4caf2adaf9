"""Images of few bits, from training to what is made of the model."""

import dataclasses
import json
import shlex

import numpy as np
import pytest
import tensorflow as tf

import tf_marscf
from tests.small_extractors import MeanAndSpread
from tests.small_trainers import SIMPLE_OPTIONS
from tf_marscf.benchmarks.comparison_configs import DensityBenchmarkConfig
from tf_marscf.data import DataConfig, collect_images
from tf_marscf.errors import InputError, RunError
from tf_marscf.evaluation.evaluation_config import EvaluationConfig
from tf_marscf.evaluation.evaluation_report import write_evaluation
from tf_marscf.quality.quality_config import QualityConfig
from tf_marscf.reporting.configuration_section import _training_command
from tf_marscf.runs.restored_run import RestoredRun
from tf_marscf.runs.run_config import PixelConfig, RestoredRunConfig, RunConfig
from tf_marscf.sampling.sample_config import SampleConfig
from tf_marscf.sampling.sample_run import write_samples
from tf_marscf.serving.served_model import ServedModel
from tf_marscf.stateless_seed import split_seed, stateless_seed
from tf_marscf.training.training_config import TrainingConfig
from tf_marscf.training.training_run import TrainingRun

MODEL = SIMPLE_OPTIONS | {"num_steps": 1, "hidden_channels": 4}
TRAINING = TrainingConfig(batch_size=16, num_epochs=2, num_sample_images=2, sample_every=0)
IMAGES = np.random.default_rng(0).integers(256, size=[40, 8, 8, 1]).astype(np.uint8)
SHOWN = {0, 85, 170, 255}  # Of two bits.


def training_run(place, train_dir, num_bits=2, **kwargs):
    data = DataConfig(name="npz", data_dir=str(place / "images.npz"), num_bits=num_bits)
    return TrainingRun(str(train_dir), data, MODEL, TRAINING, progress="none", **kwargs)


@pytest.fixture(scope="module", name="place")
def fixture_place(tmp_path_factory):
    """A place with images of 256 grey levels, and a run with two bits of them."""
    place = tmp_path_factory.mktemp("bits")
    np.savez(place / "images.npz", train=IMAGES[:30], test=IMAGES[30:])
    training_run(place, place / "run").run()
    return place


@pytest.fixture(name="train_dir")
def fixture_train_dir(place):
    return str(place / "run")


def test_the_config_says_how_many(train_dir):
    config = RunConfig.load(train_dir)
    assert (config.data.num_bits, config.pixels.num_grey_levels) == (2, 4)
    assert "--num_bits=2" in shlex.split(_training_command(train_dir, config))
    assert tf_marscf.load(train_dir).num_grey_levels == 4


def test_bits_per_dim_are_those_of_the_few_levels(train_dir):
    """A test image's bits/dim, with the two bits of a level in place of eight."""
    content, _ = write_evaluation(
        EvaluationConfig(train_dir=train_dir), report=lambda line: None, progress=False
    )
    assert content["terms"]["grey_levels"] == 2.0
    with open(f"{train_dir}/results.json", encoding="utf-8") as file:
        assert json.load(file)["test_bits_per_dim"] == content["bits_per_dim"]
    pixels = tf_marscf.load(train_dir)
    (noise_seed,) = split_seed(stateless_seed(1), 1)  # That of the only draw of seed 1.
    continuous = pixels.dequantize(IMAGES[30:] >> 6, seed=noise_seed)
    assert -0.5 <= np.min(continuous) and np.max(continuous) < 0.5
    expected = 2.0 - pixels.distribution.log_prob(continuous) / (64 * np.log(2.0))
    np.testing.assert_allclose(pixels.bits_per_dim(IMAGES[30:] >> 6, seed=1), expected, rtol=1e-5)


def test_a_run_goes_on_with_the_same_bits_alone(place, train_dir):
    training_run(place, train_dir)
    for num_bits in (3, None):
        with pytest.raises(RunError, match=f"another data: num_bits was 2 and is {num_bits}"):
            training_run(place, train_dir, num_bits)
        with pytest.raises(InputError, match="4 grey levels for these `initial_weights`"):
            training_run(place, place / "other", num_bits, initial_weights=train_dir)
    training_run(place, place / "other", 2, initial_weights=train_dir)


def test_another_data_set_loses_as_many_bits(place, train_dir):
    folder = place / "folder"
    folder.mkdir()
    for index, image in enumerate(IMAGES[:4]):
        (folder / f"{index}.png").write_bytes(tf.io.encode_png(image).numpy())
    saved = place / "saved"
    tf_marscf.save(tf_marscf.load(train_dir), saved)  # Whose config has no data set.
    for directory in (train_dir, str(saved)):
        run = RestoredRun(
            RestoredRunConfig(train_dir=directory, dataset="folder", data_dir=str(folder))
        )
        images = [collect_images(split, int(split.cardinality())) for split in
                  run.dataset.splits().values()]  # fmt: skip
        found = {image.tobytes() for image in np.concatenate(images)}
        assert found == {image.tobytes() for image in IMAGES[:4] >> 6}
    with pytest.raises(InputError, match="`num_bits` must be None, or 2.num_bits a divisor of the"):
        _ = RestoredRun(RestoredRunConfig(train_dir=train_dir, dataset="digits")).dataset


@pytest.mark.parametrize(
    ("num_grey_levels", "num_bits"), [(2, 1), (32, 5), (128, 7), (256, None), (17, None), (3, None)]
)
def test_the_bits_of_a_number_of_grey_levels(num_grey_levels, num_bits):
    assert PixelConfig(num_grey_levels=num_grey_levels).num_bits == num_bits


def test_pictures_have_the_full_range_and_arrays_the_levels(place, train_dir):
    options = {"train_dir": train_dir, "num_samples": 3}
    quiet = {"report": lambda line: None, "progress": False}
    array, files, grid = (str(place / name) for name in ("a.npz", "files", "grid.png"))
    write_samples(SampleConfig(**options, format="npz", output=array), **quiet)
    with np.load(array) as archive:
        assert archive["num_grey_levels"] == 4
        levels = archive["images"]
    assert levels.max() == 3
    write_samples(SampleConfig(**options, format="png", output=files), **quiet)
    for index, image in enumerate(levels):
        shown = tf.io.decode_png((place / "files" / f"{index:06d}.png").read_bytes())
        np.testing.assert_array_equal(shown, 85 * image)
    write_samples(SampleConfig(**options, output=grid), **quiet)
    picture = tf.io.decode_png((place / "grid.png").read_bytes())
    assert set(np.unique(picture)) == SHOWN


class Watcher(MeanAndSpread):
    """An extractor that keeps what it sees."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __call__(self, images):
        self.seen.append(images)
        return super().__call__(images)


def test_real_images_and_samples_are_measured_on_one_scale(train_dir):
    extractor = Watcher()
    quality = QualityConfig(metrics=("fid",), num_images=9)
    write_evaluation(
        EvaluationConfig(train_dir=train_dir), quality, extractor, lambda line: None, progress=False
    )
    assert len(extractor.seen) >= 3
    for images in extractor.seen:
        assert set(np.unique(images)) == SHOWN


def test_served_pixels_are_the_levels(train_dir):
    served = ServedModel(tf_marscf.load(train_dir))
    images = served.sample(tf.constant(3), tf.constant(1), tf.constant(1.0))["images"]
    assert np.max(images) == 3
    back = served.decode(served.encode(images)["latents"])["images"]
    np.testing.assert_array_equal(back, images)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must hold grey levels below 4"):
        served.score(images + 1)


def test_the_density_benchmark_takes_bits():
    config = DensityBenchmarkConfig(num_bits=5, dataset="npz")
    assert config.data.num_bits == 5
    # The command of a result names no place of somebody's.
    assert "data_dir" not in dataclasses.replace(config, data_dir="/mine/images.npz").changes()
    assert dataclasses.replace(config, num_bits=None).data.num_bits is None

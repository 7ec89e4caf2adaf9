"""Keras models, SavedModels and the original Inception as extractors of features."""

import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from tests.small_extractors import random_images, small_classifier
from tf_marscf.errors import RunError
from tf_marscf.quality.inception_feature_extractor import InceptionFeatureExtractor
from tf_marscf.quality.keras_feature_extractor import KerasFeatureExtractor
from tf_marscf.quality.quality_config import QualityConfig


@pytest.fixture(name="saved")
def fixture_saved(tmp_path):
    """Saves a model as a file and as a SavedModel."""

    def save(model):
        model.save(tmp_path / "model.keras")
        model.export(tmp_path / "exported", verbose=False)
        return tmp_path / "model.keras", tmp_path / "exported"

    return save


def test_file_and_saved_model_give_the_models_outputs(saved):
    model = small_classifier()
    logits = model.predict(random_images().astype("float32") / 255.0, verbose=0)
    for path in saved(model):
        extractor = KerasFeatureExtractor(path, pixel_range=(0, 1))
        extracted = extractor(random_images())
        np.testing.assert_allclose(extracted.features, logits, atol=1e-5)
        np.testing.assert_allclose(extracted.probabilities, softmax(logits, axis=1), atol=1e-5)
        assert extractor.describe_input((8, 8, 1)) == "grey levels mapped to [0, 1]"


def test_probabilities_are_no_logits(saved):
    model = small_classifier(activation="softmax")
    path, _ = saved(model)
    extracted = KerasFeatureExtractor(path)(random_images())
    probabilities = model.predict(random_images().astype("float32"), verbose=0)
    np.testing.assert_allclose(extracted.probabilities, probabilities, atol=1e-6)


@pytest.mark.parametrize("pooled", [True, False])
def test_a_layer_gives_the_features_and_the_output_the_classes(saved, pooled):
    model = small_classifier(pooled=pooled)
    path, exported = saved(model)
    extracted = KerasFeatureExtractor(path, layer="embedding")(random_images())
    assert extracted.features.shape == (5, 4)
    logits = model.predict(random_images().astype("float32"), verbose=0)
    weights, bias = model.get_layer("classes").get_weights()
    np.testing.assert_allclose(extracted.features @ weights + bias, logits, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(extracted.probabilities, softmax(logits, axis=1), atol=1e-4)
    with pytest.raises(ValueError, match=r"`layer` must be one of \[.*'embedding'.*got 'none'"):
        KerasFeatureExtractor(path, layer="none")
    with pytest.raises(ValueError, match="`layer` must be None for a SavedModel"):
        KerasFeatureExtractor(exported, layer="embedding")


def test_images_are_resized_and_repeated_as_the_model_wants(saved):
    extractor = KerasFeatureExtractor(saved(small_classifier((16, 12, 3)))[0])
    described = extractor.describe_input((8, 8, 1))
    assert described == (
        "resized from 8x8 to 16x12, repeated to 3 channels, grey levels mapped to [0, 255]"
    )
    grey = extractor(random_images())
    colour = extractor(np.repeat(random_images(), 3, axis=-1))
    np.testing.assert_array_equal(grey.features, colour.features)


def test_a_model_of_free_size_takes_images_as_they_are(saved):
    extractor = KerasFeatureExtractor(saved(small_classifier((None, None, 1)))[0])
    assert extractor.describe_input((8, 8, 1)) == "grey levels mapped to [0, 255]"
    assert extractor(random_images(size=10)).features.shape == (5, 3)


def test_a_uint8_input_gets_the_grey_levels(tmp_path):
    class Sums(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 1], tf.uint8)])
        def __call__(self, images):
            sums = tf.reduce_sum(tf.cast(images, tf.float32), axis=[1, 2, 3])
            return {"features": sums[:, None], "logits": tf.stack([sums, -sums], axis=1)}

    tf.saved_model.save(Sums(), str(tmp_path / "sums"))
    extractor = KerasFeatureExtractor(tmp_path / "sums")
    assert extractor.describe_input((8, 8, 1)) == "as they are"
    extracted = extractor(random_images())
    np.testing.assert_array_equal(extracted.features[:, 0], random_images().sum(axis=(1, 2, 3)))
    np.testing.assert_array_equal(extracted.probabilities, np.tile([[1.0, 0.0]], (5, 1)))


def test_colour_images_do_not_fit_a_grey_model(saved):
    extractor = KerasFeatureExtractor(saved(small_classifier())[0])
    with pytest.raises(ValueError, match="must take images of 3 channels; .* takes 1"):
        extractor(random_images(channels=3))


def test_outputs_that_are_not_finite_are_an_error(saved):
    model = small_classifier()
    model.get_layer("classes").bias.assign([0.0, np.inf, np.nan])
    with pytest.raises(RunError, match="values that are not finite"):
        KerasFeatureExtractor(saved(model)[0])(random_images())


def test_what_is_no_model_of_images_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        KerasFeatureExtractor(tmp_path / "missing.keras")
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(ValueError, match="cannot be read"):
        KerasFeatureExtractor(tmp_path / "text.keras")
    with pytest.raises(ValueError, match="cannot be read"):
        KerasFeatureExtractor(tmp_path)
    keras.Sequential([keras.Input([4]), keras.layers.Dense(2)]).save(tmp_path / "vectors.keras")
    with pytest.raises(ValueError, match=r"must take images \[n, h, w, 1 or 3\]"):
        KerasFeatureExtractor(tmp_path / "vectors.keras")
    for pixel_range in ((1, 0), (0, 1, 2), ("a", "b"), (0, float("nan"))):
        with pytest.raises(ValueError, match="`pixel_range` must be two numbers"):
            KerasFeatureExtractor(tmp_path / "vectors.keras", pixel_range=pixel_range)


def test_config_makes_the_extractor_that_it_describes(saved):
    path, _ = saved(small_classifier())
    config = QualityConfig(
        feature_extractor=path, feature_layer="embedding", pixel_range=["-1", "1"]
    )
    extractor = config.make_extractor()
    assert extractor.describe_input((8, 8, 1)) == "grey levels mapped to [-1, 1]"
    assert extractor(random_images()).features.shape == (5, 4)
    with pytest.raises(ValueError, match="only one of"):
        QualityConfig(inception_weights="weights.pth", feature_extractor="model.keras")
    with pytest.raises(ValueError, match="`feature_layer` must be None without"):
        QualityConfig(feature_layer="embedding")


def test_missing_weights_are_named_before_anything_is_imported(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing.pth.*--inception_weights=FILE.*6726825d"):
        InceptionFeatureExtractor(tmp_path / "missing.pth")


def test_without_torch_fidelity_a_line_says_what_to_provide(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(ImportError, match=r"tf_marscf\[fidelity\].*--feature_extractor=PATH"):
        InceptionFeatureExtractor()


class FakeTensor:
    """What of a torch.Tensor the extractor uses."""

    def __init__(self, array):
        self.array = array

    def to(self, device):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.array


@pytest.fixture(name="fake_torch")
def fixture_fake_torch(monkeypatch, tmp_path):
    """PyTorch and torch-fidelity as far as the extractor sees them."""
    seen = []

    class Network:
        def __init__(self, name, features, feature_extractor_weights_path, verbose):
            assert features == ["2048", "logits_unbiased"]
            seen.append(feature_extractor_weights_path)

        def to(self, device):
            return self

        def __call__(self, batch):
            seen.append(batch.array)
            means = batch.array.mean(axis=(2, 3), dtype=np.float32)
            return FakeTensor(means), FakeTensor(means[:, :2])

    class NoGrad:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

    def load(path, map_location, weights_only):
        assert weights_only
        if b"code" in open(path, "rb").read():
            raise RuntimeError("unsafe")

    torch = types.ModuleType("torch")
    torch.load, torch.no_grad, torch.from_numpy = load, NoGrad, FakeTensor
    torch.cuda = types.SimpleNamespace(is_available=lambda: False)
    torch.hub = types.SimpleNamespace(get_dir=lambda: str(tmp_path / "hub"))
    inception = types.ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    inception.FeatureExtractorInceptionV3 = Network
    inception.URL_INCEPTION_V3 = "http://localhost:9/weights.pth"
    package = types.ModuleType("torch_fidelity")
    package.feature_extractor_inceptionv3 = inception
    for module in (torch, package, inception):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return seen


def test_inception_sees_three_channels_first(fake_torch, tmp_path, capsys):
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"tensors")
    extractor = InceptionFeatureExtractor(weights)
    assert "is not weights-inception-2015-12-05-6726825d.pth" in capsys.readouterr().err
    images = random_images()
    extracted = extractor(images)
    path, batch = fake_torch
    assert path == str(weights)
    np.testing.assert_array_equal(batch, np.repeat(np.moveaxis(images, -1, 1), 3, axis=1))
    assert batch.dtype == np.uint8
    means = images.mean(axis=(1, 2))
    np.testing.assert_allclose(extracted.features, np.repeat(means, 3, axis=1), rtol=1e-6)
    np.testing.assert_allclose(extracted.probabilities, np.full([5, 2], 0.5))
    assert extractor.describe_input((32, 32, 1)) == (
        "resized from 32x32 to 299x299, repeated to 3 channels"
    )


def test_a_file_with_code_in_it_is_not_run(fake_torch, tmp_path):
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"code")
    with pytest.raises(ValueError, match="`inception_weights` must be a file of PyTorch weights"):
        InceptionFeatureExtractor(weights)
    assert not fake_torch


def test_no_weights_and_no_network_say_what_to_provide(fake_torch, tmp_path):
    with pytest.raises(RunError, match="cannot be downloaded .*--inception_weights=FILE"):
        InceptionFeatureExtractor()
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / "weights.pth").write_bytes(b"tensors")
    InceptionFeatureExtractor()
    assert fake_torch == [None]


@pytest.mark.slow
def test_figures_agree_with_those_of_torch_fidelity(tmp_path):
    """With random weights: the statistics are the same whatever the network."""
    torch = pytest.importorskip("torch")
    torch_fidelity = pytest.importorskip("torch_fidelity")
    from tf_marscf.quality.sample_quality import evaluate_sample_quality
    from tf_marscf.sampling.sample_stream import SampleBatch

    weights = random_inception_weights(torch, tmp_path / "weights.pth")
    pixels = [random_images(8, channels=3), random_images(16, channels=3)[8:] // 2]

    class Images(torch.utils.data.Dataset):
        def __init__(self, images):
            self._images = torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, 1)))

        def __len__(self):
            return len(self._images)

        def __getitem__(self, index):
            return self._images[index]

    expected = torch_fidelity.calculate_metrics(
        input1=Images(pixels[0]), input2=Images(pixels[1]), cuda=False, fid=True, kid=True,
        isc=True, kid_subset_size=8, kid_subsets=1, isc_splits=2, samples_shuffle=False,
        feature_extractor_weights_path=str(weights), save_cpu_ram=True, verbose=False,
    )  # fmt: skip
    batches = [
        SampleBatch(pixels[0][start : start + 5], np.arange(5), 0) for start in range(0, 8, 5)
    ]
    found = evaluate_sample_quality(
        InceptionFeatureExtractor(weights), batches, 8, [pixels[1]], 8, QualityConfig(num_splits=2)
    )
    assert found.fid == pytest.approx(expected["frechet_inception_distance"], rel=1e-4)
    assert found.kid.mean == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-4)
    assert found.inception_score.mean == pytest.approx(expected["inception_score_mean"], rel=1e-6)


def random_inception_weights(torch, path):
    """Weights of the right shapes; the network wants a file to begin with."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "load", lambda *args, **kwargs: {})
        patch.setattr(torch.nn.Module, "load_state_dict", lambda self, weights: None)
        torch.manual_seed(0)
        network = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path="x")
    for parameter in network.parameters():
        if parameter.dim() == 4:
            torch.nn.init.kaiming_normal_(parameter)
    torch.save(network.state_dict(), path)
    return path

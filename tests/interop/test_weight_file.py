"""Files of weights: what is damaged, or no weights, is refused with a line that says so."""

import io
import os
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tf_marscf.errors import InputError, InputTypeError
from tf_marscf.interop.import_run import import_published_weights
from tf_marscf.interop.published_architecture import infer_config
from tf_marscf.interop.published_weights import check_names_and_shapes
from tf_marscf.interop.weight_file import read_weight_file

AFFINE = Path(__file__).parent / "published" / "affine_L3_K2_C16.weights.npz"
MIXLOGCDF = Path(__file__).parent / "published" / "mixlogcdf_L2_K1_C8.weights.npz"


def failure(path, error=InputError):
    with pytest.raises(error) as caught:
        read_weight_file(path)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400
    assert "weights_only" not in message and "allow_pickle" not in message
    return message


@pytest.fixture(name="store")
def fixture_store(tmp_path):
    def store(**arrays):
        np.savez(tmp_path / "weights.npz", **arrays)
        return tmp_path / "weights.npz"

    return store


@pytest.fixture(name="torch")
def fixture_torch():
    return pytest.importorskip("torch")


@pytest.fixture(name="save")
def fixture_save(torch, tmp_path):
    def save(content, is_zip=True):
        path = tmp_path / "weights.pt"
        torch.save(content, path, _use_new_zipfile_serialization=is_zip)
        return path

    return save


@pytest.mark.parametrize(
    "value, message",
    [
        (np.array([1.0, 1e39]), "must be finite, in float32; got 1e+39"),
        (np.array([-1e300]), "must be finite, in float32; got -1e+300"),
        (np.array([1.0, np.nan], np.float16), "must be finite, in float32; got nan"),
        (np.array([np.inf]), "must be finite, in float32; got inf"),
        (np.array([1.0 + 0.0j]), "must be floats; got complex128"),
        (np.array([True]), "must be floats; got bool"),
        (np.array([1], np.uint8), "must be floats; got uint8"),
        (np.array([1]), "must be floats; got int64"),
        (np.array(["1"]), "must be floats; got <U1"),
        (np.zeros([2], "f4,i4"), "must be floats; got [('f0', '<f4'), ('f1', '<i4')]"),
        (np.zeros([0, 10**6], np.float32), "must be an array of numbers; got shape (0, 1000000)"),
        (np.zeros([1] * 5, np.float32), "must be an array of numbers; got shape (1, 1, 1, 1, 1)"),
        (np.array([object()]), "Object arrays cannot be loaded"),
    ],
)
def test_arrays_that_are_no_weights_are_named(store, value, message):
    seen = failure(store(**{"flow.x": value, "flow.y": np.zeros(1)}))
    assert "flow.x" in seen and message in seen


@pytest.mark.parametrize("dtype", [np.float16, ">f4", np.float64, np.longdouble])
def test_floats_of_all_sizes_become_float32(store, dtype):
    weights = read_weight_file(store(**{"flow.x": np.array([0.5, -2.0], dtype)}))
    assert weights["flow.x"].dtype == np.float32
    np.testing.assert_array_equal(weights["flow.x"], [0.5, -2.0])


def test_members_that_are_no_arrays_are_refused(store):
    path = store(**{"flow.x": np.zeros(1)})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.txt", b"text")
    assert "'more.txt' of" in failure(path)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    for name in ("x.npz", "x.pt"):
        os.mkfifo(tmp_path / name)
        assert "got a FIFO" in failure(tmp_path / name)
    assert "got a device" in failure("/dev/zero")
    assert "got a directory" in failure(tmp_path)
    assert "not a URL" in failure("gs://bucket/x.npz")


def test_home_is_expanded(store, monkeypatch, tmp_path):
    store(**{"flow.x": np.zeros(1)})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert list(read_weight_file("~/weights.npz")) == ["flow.x"]


def flipped(content, seed):
    generator, content = random.Random(seed), bytearray(content)
    for _ in range(generator.randint(1, 3)):
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    return bytes(content)


def assert_refused_or_equal(path, content, expected):
    for seed in range(100):
        path.write_bytes(flipped(content, seed))
        try:
            weights = read_weight_file(path)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            np.testing.assert_equal(weights, expected)


def test_flipped_bits_of_numpy_files_do_not_become_other_weights(store):
    expected = {"flow.x": np.arange(40, dtype=np.float32), "flow.y": np.ones(30, np.float32)}
    path = store(**expected)
    assert_refused_or_equal(path, path.read_bytes(), expected)


def test_flipped_bits_of_torch_files_do_not_become_other_weights(torch, save):
    path = save({"flow.x": torch.arange(40.0), "flow.y": torch.ones(30)})
    expected = {"flow.x": np.arange(40, dtype=np.float32), "flow.y": np.ones(30, np.float32)}
    assert_refused_or_equal(path, path.read_bytes(), expected)


def test_damage_to_torch_files_is_seen_by_their_checksums_without_torch_reading_them(torch, save):
    path = save({"flow.x": torch.arange(40.0)})
    content = path.read_bytes()
    place = content.index(np.arange(40, dtype=np.float32).tobytes()) + 5
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    assert "it is damaged (Bad CRC-32" in failure(path)


def test_the_older_torch_format_is_read_with_a_warning(torch, save, capsys):
    path = save({"flow.x": torch.arange(3.0)}, is_zip=False)
    assert list(read_weight_file(path)["flow.x"]) == [0.0, 1.0, 2.0]
    assert "older format without checksums" in capsys.readouterr().err
    content = path.read_bytes()
    for changed in (content[:-1], content + b"\0", flipped(content[:200], 0) + content[200:]):
        path.write_bytes(changed)
        assert "damaged" in failure(path)


def test_parameters_and_views_are_read(torch, save):
    layer = torch.nn.Linear(3, 2)
    weights = read_weight_file(save(dict(layer.named_parameters())))
    np.testing.assert_array_equal(weights["weight"], layer.weight.detach().numpy())
    square = torch.arange(9.0).reshape(3, 3).requires_grad_()
    other = {
        "a": square.T,
        "b": square[:, 1],
        "c": torch.ones(2).bfloat16(),
        "d": torch.tensor(2.0),
    }
    weights = read_weight_file(save(other))
    for name, value in other.items():
        np.testing.assert_array_equal(weights[name], value.detach().float().numpy())
        assert weights[name].dtype == np.float32


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda torch: {"x": torch.ones(2, dtype=torch.complex64)}, "floats; got complex64"),
        (lambda torch: {"x": torch.ones(2, dtype=torch.bool)}, "must be floats; got bool"),
        (lambda torch: {"x": torch.ones(2, dtype=torch.int64)}, "must be floats; got int64"),
        (lambda torch: {"x": torch.ones(2, dtype=torch.float64) * 1e40}, "in float32; got 1e+40"),
        (lambda torch: {"x": torch.ones(2).to_sparse()}, "a sparse, nested or quantized tensor"),
        (lambda torch: {"x": torch.ones(2, device="meta")}, "a tensor without values at 'x'"),
        (lambda torch: {"x": torch.ones(2).to(torch.float8_e4m3fn)}, "floats; got torch.float8"),
        (lambda torch: {"x": torch.zeros(1).expand(10**12)}, "as many numbers as its shapes say"),
        (lambda torch: {"x": torch.zeros(0, 10**9)}, "must be an array of numbers; got shape (0,"),
        (lambda torch: {1: torch.ones(2)}, "holds a name 1, a int"),
        (lambda torch: {("a", "b"): torch.ones(2)}, "holds a name ('a', 'b'), a tuple"),
        (lambda torch: {"x": {"y": torch.ones(2)}}, "holds a dict at 'x'"),
        (lambda torch: {"state_dict": torch.ones(2)}, "holds a Tensor"),
        (lambda torch: torch.ones(2), "holds a Tensor"),
        (lambda torch: {"x" * 9999: 1}, "xxx ...'"),
    ],
)  # fmt: skip
def test_torch_files_of_other_things_are_refused(torch, save, make, message):
    assert message in failure(save(make(torch)))


def test_compressed_torch_files_are_refused(torch, save):
    path = save({"flow.x": torch.zeros(10**5)})
    stream = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    path.write_bytes(stream.getvalue())
    assert "not compressed" in failure(path)


def changed(path, **values):
    weights = dict(np.load(path))
    return weights | {name: np.zeros(shape, np.float32) for name, shape in values.items()}


@pytest.mark.parametrize(
    "path, values, message",
    [
        (AFFINE, {"flow.layers.1.coupling.NN_net.conv1.weight": ()}, "must have 4 axes"),
        (AFFINE, {"flow.c_prior.prior_list.0.prior_lstm.conv_embed.weight": (3,)}, "4 axes"),
        (MIXLOGCDF, {"flow.layers.1.coupling.nn.rescale.weight_v": ()}, "must have 3 axes"),
        (MIXLOGCDF, {"flow.layers.1.coupling.nn.in_conv.conv.bias": (1, 2)}, "must have 1 axes"),
        (MIXLOGCDF, {"flow.layers.1.coupling.nn.mid_convs.99999.x": (1,)}, "blocks of couplings"),
        (AFFINE, {f"flow.c_prior.prior_list.{10**9}.x": (1,)}, "is none of the model's"),
        (AFFINE, {"flow.c_prior.prior_list.77777.x": (1,)}, "priors numbered from 0 on"),
        (AFFINE, {"flow.c_prior.prior_list.0.prior_lstm.lstm.weight_ih_l9999": (1,)}, "ConvLSTM"),
        (AFFINE, {f"flow.layers.{'9' * 5000}.actnormlayer.bias": (1,)}, "is none of the model's"),
        (AFFINE, {"flow.layers.01.actnormlayer.bias": (1,)}, "is none of the model's"),
    ],
)
def test_odd_names_and_shapes_are_refused_in_one_line(path, values, message):
    weights = changed(path, **values)
    with pytest.raises(InputError, match=message) as caught:
        check_names_and_shapes(infer_config(weights, 32), weights)
    assert len(str(caught.value)) < 400


def test_an_architecture_that_no_memory_holds_is_refused_before_it_is_built():
    wide = 300_000
    weights = changed(AFFINE) | {
        f"flow.layers.{layer}.coupling.NN_net.{name}.weight": np.zeros(shape, np.float32)
        for layer in (1, 2, 5, 6, 9, 10)
        for name, shape in (("conv1", (wide, 1, 1, 1)), ("conv3", (1, wide, 1, 1)))
    }
    with pytest.raises(InputError, match="a model must have at most .* GiB of weights"):
        infer_config(weights, 32)


@pytest.mark.parametrize("size", [0, -3, 1.5, True, "32", (32,), (32, 0), (32, 32, 3), None])
def test_unsuitable_image_sizes_are_refused(size):
    with pytest.raises(InputError, match="`image_size` must be an integer >= 1 or"):
        infer_config(changed(AFFINE), size)


def test_weights_must_be_named_arrays():
    for weights in ([], {1: np.zeros(1)}, {"x": [1.0]}, {"x": 1.0}):
        with pytest.raises(InputTypeError, match="`weights"):
            infer_config(weights, 32)


def test_output_must_be_a_new_directory(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="`output` must be a new directory; .* is a file"):
        import_published_weights(AFFINE, tmp_path / "file", 32)
    with pytest.raises(InputError, match="not a URL"):
        import_published_weights(AFFINE, "gs://bucket/x", 32)

"""Which kernel is chosen where, and that every candidate computes the same."""

import ast
import pathlib
import threading

import numpy as np
import pytest
import tensorflow as tf

from tests.small_models import random_images, small_model
from tf_marscf import kernels
from tf_marscf.kernels import choices, devices
from tf_marscf.kernels.batch_parts import num_batch_parts
from tf_marscf.kernels.channel_convolutions import channel_convolutions
from tf_marscf.kernels.choices import CANDIDATES, forced, noted
from tf_marscf.kernels.step_convolution import fastest_convolution

# (height, width, kernel size, dilation, C) of a ConvLSTM, and what CPUs and GPUs take. The first
# three are a published model's levels, of 32x32 images.
CONVOLUTIONS = [
    ((16, 16, 5, 2, 32), "spectral", "spectral"),
    ((8, 8, 5, 1, 32), "spectral", "spectral"),
    ((4, 4, 3, 1, 32), "spectral", "direct"),
    ((8, 8, 3, 1, 32), "spectral", "direct"),
    ((16, 16, 5, 1, 32), "spectral", "direct"),
    ((16, 16, 3, 1, 32), "direct", "direct"),
    ((32, 32, 5, 1, 32), "direct", "direct"),
]


def pretend(monkeypatch, device):
    monkeypatch.setattr(devices, "has_gpu", lambda: device == "GPU")
    monkeypatch.setattr(devices, "uses_tensor_float_32", lambda: False)


def use_threads(monkeypatch, intra_op, inter_op):
    threading = tf.config.threading
    monkeypatch.setattr(threading, "get_intra_op_parallelism_threads", lambda: intra_op)
    monkeypatch.setattr(threading, "get_inter_op_parallelism_threads", lambda: inter_op)


def in_graph(function, *args):
    """What a function returns while a graph is traced."""
    values = []
    tf.function(lambda: values.append(function(*args)), autograph=False).get_concrete_function()
    return values[0]


@pytest.mark.parametrize(("geometry", "on_cpu", "on_gpu"), CONVOLUTIONS)
def test_convolutions_of_all_steps(monkeypatch, geometry, on_cpu, on_gpu):
    for device, expected in (("CPU", on_cpu), ("GPU", on_gpu)):
        pretend(monkeypatch, device)
        assert fastest_convolution(*geometry, "float32").choice == expected
        assert fastest_convolution(*geometry, "bfloat16").choice == "direct"


@pytest.mark.parametrize(("device", "expected"), [("CPU", "compact"), ("GPU", "spectral")])
def test_convolutions_of_single_steps(monkeypatch, device, expected):
    pretend(monkeypatch, device)
    convolution = fastest_convolution(8, 8, 5, 1, 32, "float32")
    assert convolution.for_steps(8).choice == expected
    assert convolution.for_steps(9) is convolution.for_steps(None) is convolution


@pytest.mark.parametrize(
    ("geometry", "num_images", "on_cpu"),
    [
        ((8, 8, 5, 1, 32, "float32"), 1, "direct"),
        ((8, 8, 5, 1, 32, "float32"), 2, "compact"),
        ((8, 8, 5, 2, 32, "float32"), 1, "compact"),  # Four phases are four maps.
        ((4, 4, 5, 1, 32, "float32"), 1, "compact"),  # XLA has no fast way for so small maps,
        ((8, 8, 5, 1, 32, "float64"), 1, "compact"),  # nor for float64.
    ],
)
def test_steps_of_one_map_are_convolved_directly(monkeypatch, geometry, num_images, on_cpu):
    for device, expected in (("CPU", on_cpu), ("GPU", "spectral")):
        pretend(monkeypatch, device)
        with forced(step_convolution="spectral"):
            convolution = fastest_convolution(*geometry)
        assert convolution.for_steps(num_images).choice == expected


@pytest.mark.parametrize(
    ("device", "size", "expected"),
    [
        ("CPU", (8, 8), "DenseChannels"),
        ("CPU", (8, 16), "GatheredChannels"),
        ("GPU", (8, 16), "DenseChannels"),
        ("GPU", (12, 12), "GatheredChannels"),
    ],
)
def test_convolutions_of_channels(monkeypatch, device, size, expected):
    pretend(monkeypatch, device)
    with forced(step_convolution="spectral"):
        convolution = fastest_convolution(*size, 5, 1, 32, "float32")
    assert type(channel_convolutions(size, convolution, 5, 3)).__name__ == expected


@pytest.mark.parametrize("device", ["CPU", "GPU"])
def test_what_is_a_loop_and_what_is_split(monkeypatch, device):
    pretend(monkeypatch, device)
    use_threads(monkeypatch, 1, 3)
    assert in_graph(choices.compiles_loop)
    assert not choices.compiles_loop()
    assert [in_graph(choices.loops_layers, number) for number in (1, 2, 3, 10)] == [
        False, False, True, True,
    ]  # fmt: skip
    assert not choices.loops_layers(10)
    assert in_graph(num_batch_parts, 9) == (3 if device == "CPU" else 1)


@pytest.mark.parametrize(("cores", "expected"), [(1, 1), (4, 1), (5, 0), (64, 0)])
def test_operations_have_one_thread_on_few_cores(monkeypatch, cores, expected):
    monkeypatch.setattr(devices, "num_cores", lambda: cores)
    assert choices.default_intra_op_threads() == expected


def test_choices_are_made_in_one_place():
    """No other kernel asks for the device; of TensorFloat-32, one must be exact without it."""
    asking = set()
    for path in pathlib.Path(kernels.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
                if "tf_marscf.kernels.devices" in names:
                    asking.add(path.stem)
    assert asking == {"choices", "threads", "tensor_float_32"}


def test_forced_choices_last_for_a_block_of_a_thread():
    geometry = (8, 8, 5, 1, 32, "float64")
    elsewhere = []
    with forced(step_convolution="direct"):
        with forced(single_step_convolution="spectral"):
            convolution = fastest_convolution(*geometry)
            assert convolution.choice == "direct"
            assert convolution.for_steps(1).choice == "spectral"
            other = threading.Thread(
                target=lambda: elsewhere.append(fastest_convolution(*geometry).choice)
            )
            other.start()
            other.join()
        assert fastest_convolution(*geometry).for_steps(1).choice == "direct"
    with pytest.raises(KeyError), forced(step_convolution="direct"):
        raise KeyError
    assert [*elsewhere, fastest_convolution(*geometry).choice] == ["spectral"] * 2


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ({"convolution": "direct"}, "must be one of .*'step_convolution'.* got 'convolution'"),
        ({"step_convolution": "compact"}, "`step_convolution` must be one of .* got 'compact'"),
    ],
)
def test_unknown_candidates_are_named(candidates, message):
    with pytest.raises(ValueError, match=message), forced(**candidates):
        pass


def test_what_is_not_possible_is_not_forced():
    message = r"`step_convolution` must be one of \('direct',\) here; got 'spectral'"
    with pytest.raises(ValueError, match=message), forced(step_convolution="spectral"):
        fastest_convolution(8, 8, 5, 1, 32, "bfloat16")


def test_choices_are_noted_in_order():
    with noted() as notes:
        fastest_convolution(8, 8, 5, 1, 32, "float64").for_steps(None)
        assert [choice.name for choice in notes] == ["step_convolution", "single_step_convolution"]
        assert all(choice.possible == CANDIDATES[choice.name] for choice in notes)
    fastest_convolution(8, 8, 5, 1, 32, "float64")
    assert len(notes) == 2


MODELS = {
    "affine": {"num_levels": 1},
    "mixlogcdf": {"num_levels": 1, "coupling": "mixlogcdf", "num_blocks": 3, "prior": "gaussian"},
}


def values_and_gradients(model, images):
    with tf.GradientTape() as tape:
        densities = model.log_prob(images)
    gradients = tape.gradient(densities, model.trainable_variables)
    return [densities, model.sample(4, seed=3), *gradients]


@pytest.fixture(scope="module", name="expected")
def fixture_expected():
    """Models, images and eager values, of which only the loop of a sample is a graph."""
    images = random_images(4, 8, 8, 1, dtype="float64")
    models = {name: small_model(dtype="float64", **options) for name, options in MODELS.items()}
    return {
        name: (model, images, values_and_gradients(model, images)) for name, model in models.items()
    }


@pytest.mark.parametrize(
    ("coupling", "candidates"),
    [
        ("affine", {"step_convolution": "direct"}),
        ("affine", {"step_convolution": "spectral"}),
        ("affine", {"single_step_convolution": "direct"}),
        ("affine", {"single_step_convolution": "spectral"}),
        ("affine", {"single_step_convolution": "compact"}),
        ("affine", {"single_step_convolution": "spectral", "loop": "plain"}),
        ("affine", {"batch": "whole"}),
        ("affine", {"batch": "parts"}),
        ("mixlogcdf", {"layers": "looped"}),
        ("mixlogcdf", {"layers": "single"}),
    ],
)
def test_every_candidate_computes_the_same(monkeypatch, expected, coupling, candidates):
    model, images, values = expected[coupling]
    pretend(monkeypatch, "CPU")
    use_threads(monkeypatch, 1, 2)
    with forced(**candidates), noted() as notes:
        outputs = tf.function(values_and_gradients, autograph=False)(model, images)
    for choice, candidate in candidates.items():
        assert {note.chosen for note in notes if note.name == choice} == {candidate}
    for one, other in zip(outputs, values, strict=True):
        np.testing.assert_allclose(one, other, rtol=0.0, atol=1e-8 * max(1.0, np.abs(other).max()))

"""The tasks of a new model as a portable folder."""

import json

import numpy as np
import pytest

import tf_marscf
from tests.portable_models import run_without_tensorflow
from tests.running_commands import error_line, run_command

ARGUMENTS = (
    "--image_size=8 --image_channels=1 --num_levels=2 --num_steps=1 --hidden_channels=8 "
    "--prior_hidden_channels=4 --prior_num_layers=1 --batch_size=4 --average_decay=0.9"
).split()
PROGRAM = """
import numpy as np
from run_stablehlo import PortableModel

model = PortableModel(sys.argv[1])
shape = (4, 8, 8, 1)
images = np.random.default_rng(0).integers(256, size=shape).astype(np.uint8)
inputs = {"images": images, "values": (images + 0.5) / 256 - 0.5, "seed": np.array([1, 2])}
for name in ("log_prob", "sample", "bits_per_dim", "train_step", "train_step", "bits_per_dim"):
    print(name, *(np.ravel(one)[0] for one in model.call(name, inputs).values()))
"""
pytestmark = pytest.mark.slow


def test_they_run_where_there_is_no_tensorflow(tmp_path):
    pytest.importorskip("jax")
    folder = tmp_path / "tasks"
    process = run_command("benchmark.py", "portable", f"--output_dir={folder}", *ARGUMENTS)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1] == f"written to {folder}"
    lines = [line.split() for line in run_without_tensorflow(PROGRAM, folder).splitlines()]
    values = [float(value) for _, value in lines]
    assert np.all(np.isfinite(values))
    # The score follows the average, which the two steps moved.
    assert 0.0 < abs(values[-1] - values[2]) < 0.1
    model = tf_marscf.load(folder)
    images = np.random.default_rng(0).integers(256, size=(4, 8, 8, 1)).astype(np.uint8)
    np.testing.assert_allclose(model.bits_per_dim(images, seed=[0, 7])[0], values[2], rtol=1e-5)
    again = run_command("benchmark.py", "portable", f"--output_dir={folder}", *ARGUMENTS)
    assert again.returncode == 1
    assert "`output_dir` must be a new directory" in error_line(again)


def test_of_large_arrays_only_shape_and_spread_are_written(tmp_path):
    folder = tmp_path / "tasks"
    options = [f"--output_dir={folder}", "--random_above=100"]
    process = run_command("benchmark.py", "portable", *options, *ARGUMENTS)
    assert process.returncode == 0, process.stderr
    facts, state = json.loads((folder / "tasks.json").read_text()), np.load(folder / "state.npz")
    assert facts["batch"] == 4 and facts["shape"] == [8, 8, 1]
    assert facts["random"]
    for name, (shape, deviation) in facts["random"].items():
        assert np.prod(shape) > 100 and deviation > 0.0
        assert state[name].size == 0
    for number, described in enumerate(facts["state"]):
        if f"v{number}" not in facts["random"]:
            assert list(state[f"v{number}"].shape) == described["shape"]
    with pytest.raises(tf_marscf.errors.InputError, match="leave none out"):
        tf_marscf.load(folder)


def test_data_set_the_start(tmp_path):
    images = np.random.default_rng(0).integers(17, size=(12, 8, 8, 1)).astype(np.uint8)
    data = tmp_path / "images.npz"
    np.savez(data, train=images, test=images[:4], num_grey_levels=17)
    arguments = [f"--data={data}", f"--output_dir={tmp_path / 'tasks'}", *ARGUMENTS[2:]]
    process = run_command("benchmark.py", "portable", *arguments)
    assert process.returncode == 0, process.stderr
    config = json.loads((tmp_path / "tasks" / "config.json").read_text())
    assert config["pixels"]["num_grey_levels"] == 17
    assert config["model"]["image_shape"] == [8, 8, 1]

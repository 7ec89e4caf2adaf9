"""The runner of portable exports: its commands, and what it refuses."""

import importlib.util
import json
import re
import shutil

import numpy as np
import pytest

from tests.portable_models import RUNNER, training_batches, training_directory
from tests.running_commands import run_command
from tf_marscf.errors import RunError
from tf_marscf.serving.check_export import check_export

pytest.importorskip("jax")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", name="runner")
def fixture_runner():
    spec = importlib.util.spec_from_file_location("run_stablehlo", RUNNER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", name="exported")
def fixture_exported(tmp_path_factory):
    """`(version folder, file of images and labels)`."""
    directory = tmp_path_factory.mktemp("exported")
    config = training_directory(
        directory / "run", num_levels=1, prior="gaussian", hidden_channels=4, num_classes=3
    )
    np.savez(directory / "images.npz", **training_batches(config, 2))
    arguments = [f"--train_dir={directory / 'run'}", f"--output={directory / 'exports'}"]
    options = ["--format=stablehlo", "--checkpoint=latest", "--check"]
    process = run_command("export.py", *options, *arguments)
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert lines[-1] == f"exported to {directory / 'exports' / '1'}"
    assert sum(line.startswith("checked ") and "4 images" in line for line in lines) == 5
    assert "  encode: images uint8 [4, 8, 8, 1] -> latents float32 [4, 64]" in lines
    return directory / "exports" / "1", directory / "images.npz"


@pytest.fixture(name="call")
def fixture_call(runner, monkeypatch, capsys):
    """A function that runs a command; `(status, standard output, standard error)`."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["run_stablehlo.py", *map(str, arguments)])
        status = 0
        try:
            runner.main()
        except SystemExit as error:
            status = error.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_its_commands_run(exported, call, tmp_path):
    folder, images = exported
    status, out, _ = call("run", folder, "serving_default", images, tmp_path / "scores.npz")
    bits = np.load(tmp_path / "scores.npz")["bits_per_dim"]
    assert status == 0 and bits.shape == (8,)
    assert f"bits_per_dim: mean {bits.mean():.6f} of 8" in out
    options = ["--num_samples=3", "--label=2"]
    assert call("sample", folder, tmp_path / "samples.npz", *options)[0] == 0
    assert np.load(tmp_path / "samples.npz")["images"].shape == (3, 8, 8, 1)
    trained = tmp_path / "trained"
    status, out, _ = call("train", folder, images, "--num_steps=3", f"--output={trained}")
    losses = re.findall(r"step \d bits_per_dim (\S+)", out)
    assert status == 0 and len(losses) == 3
    # Two and one are three: the state goes on where it was.
    more = tmp_path / "more"
    call("train", folder, images, "--num_steps=2", f"--output={more}")
    np.savez(tmp_path / "third.npz", **{key: one[:4] for key, one in np.load(images).items()})
    again = call("train", more, tmp_path / "third.npz", "--num_steps=1")[1]
    assert f"step 1 bits_per_dim {losses[2]}" in again
    memory = [json.loads(line) for line in call("memory", folder)[1].splitlines()]
    assert {one["program"] for one in memory} == set(json.loads(
        (folder / "tasks.json").read_text())["tasks"])  # fmt: skip
    assert all(one["argument"] > 0 for one in memory)


def test_folders_are_never_overwritten(exported, call, tmp_path):
    folder, images = exported
    status, out, err = call("train", folder, images, "--num_steps=1", f"--output={tmp_path}")
    assert (status, out) == (2, "")
    assert err == f"error: --output must be a new folder; {tmp_path} exists\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros([2, 8, 8, 3], np.uint8)}, "`images` must be uint8 [N, 8, 8, 1]; got"),
        ({"images": np.zeros([2, 8, 8, 1])}, "`images` must be uint8 [N, 8, 8, 1]; got float64"),
        ({"images": np.full([8, 8, 8, 1], 17, np.uint8)}, "`images` must be from 0 to 16"),
        ({"images": np.zeros([0, 8, 8, 1], np.uint8)}, "inputs must be of the same images"),
        ({"labels": np.full(8, 3)}, "`labels` must be from 0 to 2"),
        ({"labels": np.zeros(7, int)}, "inputs must be of the same images"),
        ({"labels": None}, "`labels` must be int32 [N]; got None"),
    ],
)
def test_wrong_inputs_are_named(exported, call, tmp_path, change, message):
    folder, images = exported
    arrays = {key: one for key, one in (dict(np.load(images)) | change).items() if one is not None}
    np.savez(tmp_path / "wrong.npz", **arrays)
    inputs = tmp_path / "wrong.npz"
    status, _, err = call("run", folder, "serving_default", inputs, tmp_path / "scores.npz")
    assert status == 2 and len(err.splitlines()) == 1
    assert err.startswith("error: ") and message in err
    assert not (tmp_path / "scores.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "{}", "scores", "{images}", "x"], "PROGRAM must be one of serving_default, "),
        (["run", "{}", "train_step", "{images}", "x"], "train_step changes the state"),
        (["run", "{}", "encode", "nothing.npz", "x"], "nothing.npz must be an .npz file"),
        (["run", "nowhere", "encode", "{images}", "x"], "config.json must be a JSON file"),
        (["sample", "{}", "x", "--num_samples=0"], "num_samples must be >= 1"),
        (["sample", "{}", "x", "--temperature=nan"], "the temperature >= 0"),
        (["sample", "{}", "x"], "a label must be given for models with classes"),
        (["sample", "{}", "x", "--label=3"], "label must be from 0 to 2; got 3"),
    ],
)
def test_wrong_arguments_end_in_one_line(exported, call, arguments, message):
    folder, images = exported
    status, _, err = call(*(text.format(folder, images=images) for text in arguments))
    assert status == 2 and len(err.splitlines()) == 1
    assert message in err


def cut(content):
    return content[: len(content) // 2]


def change_a_byte(content):
    return content[:70] + bytes([content[70] ^ 1]) + content[71:]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("tasks.json", cut),
        ("tasks.json", lambda _: b"{}"),
        ("tasks.json", lambda content: content.replace(b'"captured"', b'"caught"')),
        ("tasks.json", lambda content: content.replace(b'"float32"', b'"float16"')),
        ("config.json", lambda _: b"[]"),
        ("state.npz", cut),
        ("state.npz", change_a_byte),
        ("encode.mlirbc", cut),
        ("encode.mlirbc", change_a_byte),
    ],
)
def test_damaged_files_are_named(exported, call, tmp_path, name, damage):
    folder, images = tmp_path / "folder", exported[1]
    shutil.copytree(exported[0], folder)
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    status, _, err = call("run", folder, "encode", images, tmp_path / "latents.npz")
    assert status == 2 and len(err.splitlines()) == 1
    assert name in err or "state.npz must hold" in err


def test_a_check_finds_a_damaged_program(exported, tmp_path):
    version = tmp_path / "exports" / "1"
    shutil.copytree(exported[0], version)
    program = version / "sample.mlirbc"
    program.write_bytes(change_a_byte(program.read_bytes()))
    with pytest.raises(RunError, match="signature `sample` failed its check: its program is dam"):
        check_export(version.parent)
    program.unlink()
    facts = json.loads((version / "tasks.json").read_text())
    del facts["tasks"]["decode"]
    (version / "tasks.json").write_text(json.dumps(facts))
    with pytest.raises(RunError, match="signature `decode` failed its check: .* has none of that"):
        check_export(version)


def test_numbers_that_are_not_finite_end_a_command(exported, call, tmp_path):
    np.savez(tmp_path / "far.npz", latents=np.full([1, 64], np.inf, np.float32))
    arguments = ["run", exported[0], "decode", tmp_path / "far.npz", tmp_path / "values.npz"]
    status, _, err = call(*arguments)
    assert status == 1
    assert "not finite: values" in err
    assert not (tmp_path / "values.npz").exists()

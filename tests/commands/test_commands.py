"""The commands in bin/, as a user runs them."""

import json
import re

import numpy as np
import pytest

from tests.running_commands import ROOT, TINY_MODEL, error_line, own_lines, run_command
from tests.small_extractors import small_classifier


def plan_of(process):
    """What a command says first; what it shows meanwhile is whole lines."""
    assert "\r" not in process.stdout + process.stderr
    plan = own_lines(process)[0]
    assert re.search(r"[^.]\. (How long it takes depends on|It takes|Nothing is run)", plan)
    return plan


@pytest.fixture(scope="module")
def train_dir(tmp_path_factory):
    """A directory that bin/train.py made."""
    directory = tmp_path_factory.mktemp("commands") / "run"
    process = run_command("train.py", "--dataset=digits", f"--train_dir={directory}", *TINY_MODEL)
    assert process.returncode == 0, process.stderr
    last_line = process.stdout.splitlines()[-1]
    assert last_line.startswith("test bits/dim ")
    assert "300 images" in last_line
    assert last_line.endswith(f"results, samples and checkpoints: {directory}")
    assert "val_bits_per_dim" in process.stdout
    assert plan_of(process).startswith("Trains on digits (num_epochs=1)")
    shares = re.findall(r"^training: (\d+)% of 20 steps, ", process.stdout, flags=re.MULTILINE)
    assert set(shares) >= {str(share) for share in range(10, 101, 10)}
    return directory


@pytest.mark.slow
def test_evaluate_prints_a_line_a_result_and_writes_them(train_dir, tmp_path):
    process = run_command("evaluate.py", f"--train_dir={train_dir}", "--split=validation")
    assert process.returncode == 0, process.stderr
    line, terms, numbers = process.stdout.splitlines()
    assert line.startswith("validation bits/dim ")
    assert "200 images" in line
    assert terms.startswith("terms: ")
    content = json.loads((train_dir / "evaluation_validation.json").read_text())
    assert content["bits_per_dim"] == sum(content["terms"].values())
    assert f"{content['bits_per_dim']:.4f}" in line
    assert numbers.endswith("evaluation_validation.json")
    model = f"the model in {train_dir} (digits, 8x8x1)"
    assert plan_of(process).startswith(f"Measures bits/dim with {model} on its validation images. ")
    assert "scoring validation images: 100% of 4 batches, " in process.stderr

    small_classifier().save(tmp_path / "classifier.keras")
    process = run_command(
        "evaluate.py", f"--train_dir={train_dir}", "--metrics=fid,inception_score",
        f"--feature_extractor={tmp_path / 'classifier.keras'}", "--num_generated=20",
        f"--json={tmp_path / 'new' / 'quality.json'}",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "FID " in process.stdout
    content = json.loads((tmp_path / "new" / "quality.json").read_text())
    assert content["quality"]["num_samples"] + content["quality"]["num_non_finite"] == 20
    assert content["quality"]["fid"] >= 0.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "arguments", "expected"),
    [
        ("sample.py", ["--temperature=nan"], "`temperature` must be finite and >= 0; got nan"),
        ("evaluate.py", ["--metrics=fid", "--inception_weights=missing"], "--inception_weights"),
    ],
)
def test_wrong_flags_of_sample_and_evaluate_end_with_status_2(
    train_dir, script, arguments, expected
):
    process = run_command(script, f"--train_dir={train_dir}", *arguments)
    assert process.returncode == 2
    assert expected in error_line(process)


@pytest.mark.slow
def test_samples_as_files_are_not_mixed_with_others(train_dir, tmp_path):
    directory = tmp_path / "samples"
    arguments = [f"--train_dir={train_dir}", "--format=png", f"--output={directory}"]
    process = run_command("sample.py", *arguments, "--num_samples=5", "--batch_size=2")
    assert process.returncode == 0, process.stderr
    assert "drawing: 100% of 5 samples, " in process.stderr
    assert plan_of(process).startswith("Draws 5 samples of the model in ")
    assert f"are in {directory}" in process.stdout
    numbers = json.loads((tmp_path / "samples.json").read_text())
    files = sorted(directory.iterdir())
    assert numbers["num_finite"] == len(files)
    assert numbers["num_finite"] + numbers["num_non_finite"] == numbers["num_samples"] == 5
    again = run_command("sample.py", *arguments)
    assert again.returncode == 2
    assert "`output` must be a new or empty directory" in error_line(again)
    assert sorted(directory.iterdir()) == files


@pytest.mark.slow
def test_sample_writes_the_same_picture_for_the_same_seed(train_dir, tmp_path):
    pictures = [tmp_path / name for name in ("first.png", "second.png", "third.png")]
    for picture, seed in zip(pictures, (1, 1, 2), strict=True):
        process = run_command(
            "sample.py", f"--train_dir={train_dir}", f"--output={picture}", f"--seed={seed}",
            "--num_samples=4",
        )  # fmt: skip
        assert process.returncode == 0, process.stderr
        assert str(picture) in process.stdout
    first, second, third = (picture.read_bytes() for picture in pictures)
    assert first == second != third


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--dataset=digits"], "--train_dir"),
        (["--dataset=nothing"], "'nothing'"),
        (["--dataset=digits", "--coupling=additive"], "`coupling` must be one of"),
        (["--dataset=digits", "--batch_size=0"], "`batch_size` must be an integer >= 1; got 0"),
        (["--dataset=digits", "--batch_size=many"], "--batch_size=many"),
        (["--dataset=digits", "--num_levels=5"], "`image_shape` must have a height divisible"),
        (["--dataset=digits", "--no_such_flag=1"], "no_such_flag"),
        (["--dataset=digits", "stray"], "'stray'"),
        (["--dataset=digits", "--strategy=two"], "`strategy` must be one of"),
        (["--dataset=digits", "--strategy=multi_worker"], "TF_CONFIG"),
        (["--dataset=digits", "--checkpoint_every=0"], "`checkpoint_every`"),
        (["--dataset=digits", "--average_decay=1"], "`average_decay` must be in [0, 1); got 1.0"),
        (["--dataset=digits", "--num_channels=2"], "`num_channels`"),
        (["--dataset=npz"], "`data_dir` must be the path of an .npz file"),
        (["--dataset=folder", "--data_dir=missing"], "'missing', which does not exist"),
        (["--flagfile=missing.flags"], "missing.flags"),
    ],
)
def test_wrong_flags_of_train_end_with_status_2_and_write_nothing(arguments, expected, tmp_path):
    directory = tmp_path / "run"
    if "--train_dir" not in expected:
        arguments = [*arguments, f"--train_dir={directory}"]
    process = run_command("train.py", *arguments)
    assert process.returncode == 2
    assert expected in error_line(process)
    assert not directory.exists()


@pytest.mark.slow
@pytest.mark.parametrize("script", ["evaluate.py", "sample.py"])
def test_directory_without_a_run_ends_with_status_2(script, tmp_path):
    process = run_command(script, f"--train_dir={tmp_path}")
    assert process.returncode == 2
    assert "`train_dir` must be a training directory" in error_line(process)


@pytest.mark.slow
def test_continuing_with_another_model_ends_with_status_1(train_dir):
    process = run_command(
        "train.py", "--dataset=digits", f"--train_dir={train_dir}", *TINY_MODEL, "--num_steps=2"
    )
    assert process.returncode == 1
    assert "num_steps was 1 and is 2" in error_line(process)


@pytest.mark.slow
def test_imported_weights_are_sampled_and_ask_for_a_data_set(tmp_path):
    weights = ROOT / "tests" / "interop" / "published" / "affine_L3_K2_C16.weights.npz"
    output = tmp_path / "imported"
    process = run_command("import_weights.py", f"--input={weights}", f"--output={output}")
    assert process.returncode == 0, process.stderr
    assert "affine, L=3, K=2, C=16, images (32, 32, 3), prior width 8" in process.stdout
    assert plan_of(process).startswith(f"Imports the weights in {weights} into {output}. ")
    assert process.stdout.endswith(f"into {output}\n")

    again = run_command("import_weights.py", f"--input={weights}", f"--output={output}")
    assert again.returncode == 1
    assert "`output` must be a new directory" in error_line(again)

    sampled = run_command("sample.py", f"--train_dir={output}", "--num_samples=2")
    assert sampled.returncode == 0, sampled.stderr
    assert (output / "samples_seed_0.png").exists()

    evaluated = run_command("evaluate.py", f"--train_dir={output}")
    assert evaluated.returncode == 2
    assert "`dataset` must be given" in error_line(evaluated)


@pytest.mark.slow
def test_imported_weights_train_on_and_are_exported(tmp_path):
    weights = ROOT / "tests" / "interop" / "published" / "affine_L3_K2_C16.weights.npz"
    imported, trained = tmp_path / "imported", tmp_path / "trained"
    assert not run_command(
        "import_weights.py", f"--input={weights}", f"--output={imported}"
    ).returncode
    pixels = np.random.default_rng(0).integers(256, size=(24, 32, 32, 3)).astype(np.uint8)
    np.savez(tmp_path / "images.npz", train=pixels[:12], test=pixels[12:])
    data = ["--dataset=npz", f"--data_dir={tmp_path / 'images.npz'}"]
    small = ["--batch_size=4", "--num_epochs=1", "--num_sample_images=2", "--sample_every=0",
             "--warm_up_images=100000"]  # fmt: skip

    into_the_import = run_command("train.py", f"--train_dir={imported}", *data, *small)
    assert into_the_import.returncode in (1, 2)
    assert "`train_dir`" in error_line(into_the_import) or "2^num" in error_line(into_the_import)

    initial = f"--initial_weights={imported}"
    process = run_command("train.py", f"--train_dir={trained}", initial, *data, *small)
    assert process.returncode == 0, process.stderr
    config = json.loads((trained / "config.json").read_text())
    assert config["pixels"]["published_scaling"]
    assert config["model"]["prior_hidden_channels"] == 8
    # Hardly trained: the learning rate has not warmed up.
    before = run_command("evaluate.py", f"--train_dir={imported}", *data)
    after = run_command("evaluate.py", f"--train_dir={trained}")
    scores = [float(run.stdout.split()[2]) for run in (before, after)]
    assert scores[0] == pytest.approx(scores[1], abs=0.2)

    contradiction = run_command(
        "train.py", f"--train_dir={tmp_path / 'x'}", initial, *data, *small, "--num_steps=3"
    )
    assert contradiction.returncode == 2
    assert "`num_steps` must be that of `initial_weights`, 2; got 3" in error_line(contradiction)

    exported = run_command("export.py", f"--train_dir={imported}", f"--output={tmp_path / 'out'}")
    assert exported.returncode == 0, exported.stderr
    assert plan_of(exported).startswith(f"Exports the model in {imported} (32x32x3 images) as a ")
    assert "exporting: 100% of 5 signatures, " in exported.stderr
    assert exported.stdout.splitlines()[-1] == f"exported to {tmp_path / 'out' / '1'}"


@pytest.mark.slow
def test_benchmark_prints_a_row_a_task(tmp_path):
    output = tmp_path / "speed.json"
    arguments = "speed --image_size=8 --image_channels=1 --num_levels=1 --num_steps=1".split()
    arguments += "--hidden_channels=8 --batch_size=2 --num_repeats=1".split()
    arguments += ["--intra_op_threads=2"]
    process = run_command("benchmark.py", *arguments, f"--json={output}")
    assert process.returncode == 0, process.stderr
    assert "threads: 2 an operation" in process.stdout
    assert plan_of(process).startswith("Times a training step, a density and a sample")
    assert process.stdout.splitlines()[-1] == f"figures: {output}"
    compared = run_command("benchmark.py", *arguments, f"--baseline={output}")
    for task in ("train_step", "log_prob", "sample"):
        (row,) = [line for line in compared.stdout.splitlines() if line.startswith(task)]
        assert row.endswith("x")
    assert compared.stdout.splitlines()[-1] == "figures: above; --json=FILE writes them"


@pytest.mark.slow
def test_benchmark_says_which_kernels_are_chosen(tmp_path):
    output = tmp_path / "kernels.json"
    arguments = "kernels --image_size=8 --image_channels=1 --num_levels=1 --num_steps=1".split()
    arguments += "--hidden_channels=8 --batch_size=2 --num_repeats=1 --prior=gaussian".split()
    arguments += ["--intra_op_threads=1", f"--json={output}"]
    process = run_command("benchmark.py", *arguments)
    assert process.returncode == 0, process.stderr
    assert process.stdout.split()[:3] == ["level", "task", "kernel"]
    table = json.loads(output.read_text())
    assert set(table) == {"machine", "rows"}
    refused = run_command("benchmark.py", "kernels", "--dequantization=variational")
    assert refused.returncode == 2
    assert "'dequantization'" in error_line(refused)


@pytest.mark.slow
def test_tiny_mode_runs_a_recipe_in_a_directory_of_its_own(tmp_path):
    pixels = np.random.default_rng(0).integers(256, size=(40, 16, 16, 3)).astype(np.uint8)
    np.savez(tmp_path / "images.npz", train=pixels[:30], test=pixels[30:])
    process = run_command(
        "train.py", "--flagfile=cifar.flags", "--dataset=npz", "--tiny", "--progress=none",
        f"--data_dir={tmp_path / 'images.npz'}", f"--train_dir={tmp_path / 'run'}",
        "--sample_every=0", "--num_levels=2",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert not (tmp_path / "run").exists()
    assert (tmp_path / "run_tiny" / "results.json").exists()
    assert "(10 images" in process.stdout.splitlines()[-1]


@pytest.mark.slow
def test_train_dir_that_is_a_file_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    process = run_command("train.py", "--dataset=digits", f"--train_dir={path}", *TINY_MODEL)
    assert process.returncode == 2
    assert "`train_dir` must be a directory" in error_line(process)
    assert path.read_text() == "mine"

"""bin/benchmark.py, as a user runs it."""

import json
import subprocess
import sys

import pytest

from tests.running_commands import ROOT, error_line, own_lines, run_command, start_command

# Prints the plan, and stops where TensorFlow would start.
_PLAN = """
import sys
from absl import flags
from tf_marscf.commands import command_line, comparisons

def stop(plan, time):
    print(plan, time)
    sys.exit()

command_line.start_tensorflow = stop
name, *arguments = sys.argv[1:]
comparisons.define_flags(name)
flags.FLAGS(["benchmark", *arguments])
comparisons.compare(name, print)
"""


@pytest.mark.slow
def test_help_names_the_benchmarks_and_their_flags():
    top = run_command("benchmark.py", "--help")
    assert top.returncode == 0
    assert all(name in top.stdout for name in ("speed", "sampling", "density", "compare"))
    sampling = run_command("benchmark.py", "sampling", "--help")
    assert "--sizes" in sampling.stdout and "--dataset" not in sampling.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "must be one of: speed, sampling, density"),
        (["fly"], "got 'fly'"),
        (["sampling", "--dataset=digits"], "'dataset'"),
        (["density", "--sizes=8"], "'sizes'"),
        (["speed", "--sizes=8"], "'sizes'"),
        (["sampling", "--sizes=8,9"], "`sizes` must be"),
        (["sampling", "--num_repeats=1"], "`num_repeats` must be an integer >= 2; got 1"),
        (["density", "--models=mar,vae"], "`models` must be some of"),
        (["compare", "--models=gaussian"], "'mar' among them"),
        (["compare", "--num_samples=1"], "`num_samples` must be an integer >= 2; got 1"),
        (["compare", "--feature_extractor=nothing.keras"], "'nothing.keras' does not exist"),
        (
            ["compare", "--models=mar,gaussian", "--num_blocks=2"],
            "`num_blocks` must not be given with --coupling=affine",
        ),
        (["density", "--dataset=nothing"], "'nothing'"),
        (["ablation", "--priors=mar"], "`priors` must be some of"),
        (["ablation", "--seeds=0,0"], "`seeds` must be different; got '0,0'"),
        (["ablation", "--models=mar"], "'models'"),
        (["ablation", "--num_blocks=2"], "`num_blocks` must not be given with --coupling=affine"),
        (
            ["ablation", "--couplings=affine,mixlogcdf", "--residual_num_terms=2"],
            "`residual_num_terms` must not be given with --coupling=affine,mixlogcdf",
        ),
        (
            ["ablation", "--couplings=residual", "--max_log_scale=2"],
            "`max_log_scale` must not be given with --coupling=residual",
        ),
        (
            ["ablation", "--priors=gaussian", "--prior_num_layers=2"],
            "`prior_num_layers` must not be given with --priors=gaussian",
        ),
    ],
)
def test_wrong_arguments_end_with_status_2(arguments, expected, tmp_path):
    if arguments[:1] in (["sampling"], ["density"], ["ablation"], ["compare"]):
        arguments = [*arguments, f"--output_dir={tmp_path / 'out'}"]
    process = run_command("benchmark.py", *arguments)
    assert process.returncode == 2
    assert expected in error_line(process)
    assert not (tmp_path / "out").exists()


def test_nothing_but_the_plan_is_said_besides_the_figures(tmp_path):
    """Of TensorFlow's import, on a machine whose GPUs are hidden and whose environment is bare."""
    arguments = ["--num_levels=1", "--num_steps=1", f"--train_dir={tmp_path}", "--dataset=digits"]
    process = subprocess.run(
        [sys.executable, ROOT / "bin" / "benchmark.py", "all_reduce", *arguments],
        capture_output=True, text=True, cwd=tmp_path, check=False,
        env={"PATH": "", "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    (plan,) = process.stderr.splitlines()
    assert plan == (
        "Counts what a training step of several devices sends. Nothing is run: it takes as long as "
        "TensorFlow's import."
    )
    assert process.stdout.splitlines()[-1] == "figures: above; no file is written"


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("density", [], "How long it takes depends on the models: 500 steps each, and on the"),
        ("density", ["--training_seconds=600"], "It takes 10 min of training each, at most 40 min"),
        (
            "compare",
            ["--training_seconds=30", "--models=mar,gaussian"],
            "It takes 30 s of training each, at most 60 s in all, besides evaluations, and at most "
            "5 min or a batch of samples each; the time left is shown meanwhile.",
        ),
        (
            "ablation",
            ["--training_seconds=30", "--num_training_steps=9", "--seeds=0,1"],
            "It takes 30 s of training each, at least ",
        ),
        (
            "sampling",
            [],
            "timed batches take at most 120 s, or two batches, a model or part of one",
        ),
    ],
)
def test_the_plan_says_how_long_a_benchmark_may_take(name, arguments, expected):
    process = subprocess.run(
        [sys.executable, "-c", _PLAN, name, *arguments],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    assert expected in process.stdout


@pytest.mark.slow
def test_density_prints_a_table_and_names_its_files(tmp_path):
    arguments = (
        "density --num_levels=1 --num_steps=1 --hidden_channels=8 --prior_hidden_channels=4 "
        "--prior_num_layers=1 --max_images=40 --batch_size=16 --num_training_steps=2 "
        "--evaluate_every=2 --models=mar,gaussian"
    ).split()
    process = run_command("benchmark.py", *arguments, f"--output_dir={tmp_path}")
    assert process.returncode == 0, process.stderr
    plan, *shares = own_lines(process)
    assert plan.startswith(
        f"Trains 2 models on digits; results go to {tmp_path}. How long it takes"
    )
    assert [line.split(",")[0] for line in shares] == ["training: 50%", "training: 100%"]
    lines = process.stdout.splitlines()
    assert lines[0].endswith("held-out bits/dim")
    assert len(lines) == 1 + 2 * 2 + 1
    for ending in ("json", "csv", "png"):
        path = tmp_path / f"density.{ending}"
        assert path.exists() and str(path) in lines[-1]


@pytest.mark.slow
def test_a_killed_ablation_ends_with_the_results_of_an_unbroken_one(tmp_path):
    arguments = (
        "ablation --num_levels=1 --num_steps=1 --hidden_channels=8 --prior_hidden_channels=2 "
        "--max_images=40 --batch_size=16 --num_training_steps=6 --evaluate_every=2 "
        "--priors=gaussian,causal --warm_up_images=0"
    ).split()

    def found(directory):
        """All but the seconds."""
        rows = json.loads((tmp_path / directory / "ablation.json").read_text())["rows"]
        return [{**row, "training_seconds": None} for row in rows]

    unbroken = run_command("benchmark.py", *arguments, f"--output_dir={tmp_path / 'unbroken'}")
    assert unbroken.returncode == 0, unbroken.stderr
    killed = start_command("benchmark.py", *arguments, f"--output_dir={tmp_path / 'killed'}")
    for prior in ("gaussian", "causal", "gaussian", "causal"):
        killed.wait_for_line(f"{prior}, affine, uniform, seed 0")
    killed.kill()
    killed.communicate()
    assert not (tmp_path / "killed" / "ablation.json").exists()
    resumed = run_command("benchmark.py", *arguments, f"--output_dir={tmp_path / 'killed'}")
    assert resumed.returncode == 0, resumed.stderr
    assert "causal, affine, uniform, seed 0: going on after step 2" in resumed.stdout
    assert found("killed") == found("unbroken")
    assert len(found("unbroken")) == 2 * 2 * 4

"""bin/benchmark.py, as a user runs it."""

import pytest

from tests.running_commands import error_line, run_command


@pytest.mark.slow
def test_help_names_the_benchmarks_and_their_flags():
    top = run_command("benchmark.py", "--help")
    assert top.returncode == 0
    assert all(name in top.stdout for name in ("speed", "sampling", "density"))
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
        (["density", "--models=mar,pixel_cnn"], "`models` must be of"),
        (["density", "--dataset=nothing"], "'nothing'"),
    ],
)
def test_wrong_arguments_end_with_status_2(arguments, expected, tmp_path):
    if arguments[:1] in (["sampling"], ["density"]):
        arguments = [*arguments, f"--output_dir={tmp_path / 'out'}"]
    process = run_command("benchmark.py", *arguments)
    assert process.returncode == 2
    assert expected in error_line(process)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_density_prints_a_table_and_names_its_files(tmp_path):
    arguments = (
        "density --num_levels=1 --num_steps=1 --hidden_channels=8 --prior_hidden_channels=4 "
        "--prior_num_layers=1 --max_images=40 --batch_size=16 --num_training_steps=2 "
        "--evaluate_every=2 --models=mar,gaussian"
    ).split()
    process = run_command("benchmark.py", *arguments, f"--output_dir={tmp_path}")
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert lines[0].endswith("held-out bits/dim")
    assert len(lines) == 1 + 2 * 2 + 1
    for ending in ("json", "csv", "png"):
        path = tmp_path / f"density.{ending}"
        assert path.exists() and str(path) in lines[-1]

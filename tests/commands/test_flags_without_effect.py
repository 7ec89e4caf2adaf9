"""Flags that would have no effect, given the others, are refused and not passed over."""

import pytest

from tests.running_commands import error_line, run_command


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("evaluate.py --temperature=0.5", "`temperature` must not be given without --metrics"),
        ("evaluate.py --num_generated=9", "`num_generated` must not be given without --metrics"),
        ("evaluate.py --temperature=1", "`temperature` must not be given without --metrics"),
        ("evaluate.py --kid_block_size=9", "`kid_block_size` must not be given without --metrics"),
        ("evaluate.py --reference_split=test", "`reference_split` must not be given without"),
        ("evaluate.py --inception_weights=x", "`inception_weights` must not be given without"),
        ("evaluate.py --metrics=fid --kid_block_size=9", "unless --metrics has kid"),
        ("evaluate.py --metrics=fid --pixel_range=0,1", "without --feature_extractor"),
        (
            "evaluate.py --metrics=inception_score --feature_extractor=x --feature_layer=y",
            "`feature_layer` must not be given unless --metrics has fid or kid",
        ),
        (
            "sample.py --format=npz --dataset=digits",
            "`dataset` must be None where there are no real images beside the samples",
        ),
        ("sample.py --format=png --nobeside_real", "`beside_real` must not be given with"),
        ("sample.py --nobeside_real --data_dir=x", "`data_dir` must be None where there are no"),
        (
            "export.py --output=x --format=stablehlo --max_num_samples=9",
            "`max_num_samples` must not be given with --format=stablehlo",
        ),
        (
            "export.py --output=x --batch_size=9",
            "`batch_size` must not be given with --format=saved_model",
        ),
        (
            "export.py --output=x --format=saved_model --notrain_step",
            "`train_step` must not be given with --format=saved_model",
        ),
        ("export.py --output=x --format=stablehlo --batch_size=0", "flag --batch_size=0"),
        ("export.py --output=x --format=onnx", "flag --format=onnx"),
        ("interpolate.py --pairs=0:1 --num_pairs=4", "`num_pairs` must not be given with --pairs"),
        ("interpolate.py --pairs=0:1 --seed=0", "`seed` must not be given with --pairs"),
        ("report.py --sections=training --benchmarks", "`benchmarks` must be False where"),
        ("report.py --sections=samples --temperature=0.5,0.7", "`temperature` must be None unless"),
        (
            "train.py --dataset=digits --prior=gaussian --prior_network=causal",
            "`prior_network` must not be given with --prior=gaussian",
        ),
        (
            "train.py --dataset=digits --prior_network=causal --prior_start=gaussian",
            "`prior_start` must not be given with --prior_network=causal",
        ),
        (
            "train.py --dataset=digits --prior=gaussian --prior_family=logistic",
            "`prior_family` must not be given with --prior=gaussian",
        ),
        (
            "train.py --dataset=digits --prior_network=causal --prior_num_layers=0 "
            "--prior_hidden_channels=4",
            "`prior_hidden_channels` must not be given with --prior_num_layers=0",
        ),
        (
            "train.py --dataset=digits --prior_num_layers=0",
            "`prior_num_layers` must be an integer >= 1 unless prior_network='causal'; got 0",
        ),
        # What a recipe says may be replaced; it sets the size of the mAR prior.
        (
            "train.py --flagfile=digits.flags --prior=gaussian --prior_start_images=9",
            "`prior_start_images` must not be given with --prior=gaussian",
        ),
        (
            "train.py --dataset=digits --num_levels=1 --prior_start_images=9",
            "`prior_start_images` must not be given unless mAR priors start as Glow's",
        ),
        (
            "train.py --dataset=digits --prior_kernel_sizes=3,x",
            "must be integers >= 1, separated by commas",
        ),
        (
            "train.py --dataset=digits --num_levels=2 --prior_kernel_sizes=3,5,3",
            "`prior_kernel_sizes` must be 2 integers >= 1; got (3, 5, 3)",
        ),
    ],
)
def test_they_are_refused_in_one_line(command, expected, tmp_path):
    script, *arguments = command.split()
    process = run_command(script, f"--train_dir={tmp_path}", *arguments)
    assert process.returncode == 2
    assert expected in error_line(process)


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["--dequantizer_num_steps=4", "--dequantizer_hidden_channels=8"])
def test_those_of_a_dequantizer_are_refused_with_uniform_noise(flag, tmp_path):
    process = run_command("train.py", f"--train_dir={tmp_path / 'run'}", "--dataset=digits", flag)
    assert process.returncode == 2
    assert "must not be given with dequantization='uniform'" in error_line(process)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("sampling --num_heads=4", "`num_heads` must not be given with --coupling=affine"),
        ("density --num_blocks=4", "`num_blocks` must not be given with --coupling=affine"),
        ("speed --norecompute_couplings", "`recompute_couplings` must not be given with"),
        ("speed --prior=gaussian --recompute_prior", "`recompute_prior` must not be given with"),
        (
            "speed --prior=gaussian --prior_network=causal",
            "`prior_network` must not be given with --prior=gaussian",
        ),
        (
            "speed --prior=gaussian --prior_num_layers=1",
            "`prior_num_layers` must not be given with --prior=gaussian",
        ),
        (
            "speed --prior_network=causal --recompute_prior",
            "`recompute_prior` must not be given with --prior_network=causal",
        ),
        (
            "speed --image_size=8,8,8",
            "`image_size` must be N or HEIGHT,WIDTH, integers >= 1; got '8,8,8'",
        ),
        (
            "speed --image_size=8,x",
            "`image_size` must be N or HEIGHT,WIDTH, integers >= 1; got '8,x'",
        ),
        ("speed --baseline=/dev/zero", "`baseline` must be a file; got '/dev/zero'"),
        (
            "portable --output_dir=x --data=y.npz --image_size=8",
            "`image_size` must not be given with --data",
        ),
        ("portable --output_dir=x --num_blocks=4", "`num_blocks` must not be given with"),
        ("portable", "flag --output_dir=None"),
        ("speed --json=/dev/null", "`json` must be a file; '/dev/null' is no regular file"),
    ],
)
def test_those_of_benchmarks_are_refused_too(command, expected):
    process = run_command("benchmark.py", *command.split())
    assert process.returncode == 2
    assert expected in error_line(process)

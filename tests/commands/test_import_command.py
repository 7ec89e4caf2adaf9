"""bin/import_weights.py, and the table that it prints."""

import pytest

from tests.running_commands import ROOT, error_line, run_command
from tf_marscf.interop.import_run import weight_table

AFFINE = ROOT / "tests" / "interop" / "published" / "affine_L3_K2_C16.weights.npz"
MIXLOGCDF = ROOT / "tests" / "interop" / "published" / "mixlogcdf_L2_K1_C8.weights.npz"


def test_rows_are_grouped_by_module_and_aligned():
    block = "flow.layers.1.coupling.nn.mid_convs"
    rows = [
        (("flow.layers.1.actnormlayer.bias",), ((1, 12, 1, 1),), (12,), "bias"),
        (
            tuple(f"{block}.{index}.conv.conv.conv.weight_v" for index in range(11)),
            ((512, 512, 3, 3),) * 11,
            (11, 3, 3, 512, 512),
            "convolution_convolution_direction",
        ),
        (
            tuple(f"flow.c_prior.prior_list.0.prior_lstm.lstm.bias_{x}h_l0" for x in "ih"),
            ((32,), (32,)),
            (32,),
            "bias_0",
        ),
    ]
    assert weight_table(rows) == [
        "flow.layers.1",
        "  actnormlayer.bias             1x12x1x1    -> 12              bias",
        "flow.layers.1.coupling.nn.mid_convs",
        "  0-10.conv.conv.conv.weight_v  512x512x3x3 -> 11x3x3x512x512  "
        "convolution_convolution_direction",
        "flow.c_prior.prior_list.0.prior_lstm.lstm",
        "  bias_ih_l0 + bias_hh_l0       32          -> 32              bias_0",
    ]


def test_an_empty_table_has_no_lines():
    assert weight_table([]) == []


@pytest.mark.slow
@pytest.mark.parametrize("weights", [AFFINE, MIXLOGCDF])
def test_lines_are_no_longer_than_a_person_can_read(weights, tmp_path):
    process = run_command("import_weights.py", f"--input={weights}", f"--output={tmp_path / 'run'}")
    assert process.returncode == 0, process.stderr
    *table, _ = process.stdout.splitlines()
    assert max(map(len, table)) <= 100
    assert len({line.index(" -> ") for line in table if " -> " in line}) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--image_size=abc"], "`image_size` must be N or HEIGHT,WIDTH, integers >= 1; got 'abc'"),
        (["--image_size=0"], "got '0'"),
        (["--image_size=-3"], "got '-3'"),
        (["--image_size=32,0"], "got '32,0'"),
        (["--image_size=32,32,3"], "got '32,32,3'"),
        (["--image_size="], "got ''"),
        (["--image_size=²"], "got '²'"),
        (["--image_size=30"], "divisible by 2^num_levels"),
        (["--num_heads=2"], "`num_heads` must be None for affine couplings; got 2"),
        (["--output=gs://bucket/x"], "not a URL"),
        (["--input=/dev/zero"], "/dev/zero must be a readable file; got a device"),
        (["--input=missing.npz"], "'missing.npz' must be a file of weights; there is none"),
    ],
)
def test_wrong_arguments_end_with_status_2_and_write_nothing(arguments, message, tmp_path):
    output = tmp_path / "run"
    process = run_command(
        "import_weights.py", f"--input={AFFINE}", f"--output={output}", *arguments
    )
    assert process.returncode == 2
    assert message in error_line(process)
    assert not output.exists()

#!/usr/bin/env python
"""Measures speed: `python bin/benchmark.py speed --coupling=affine --batch_size=16`."""

import json
import sys

from absl import flags

from tf_marscf import command_line
from tf_marscf.config import MarScfConfig

flags.DEFINE_list("image_size", ["32"], "Size of the images: N, or HEIGHT,WIDTH.")
flags.DEFINE_integer("image_channels", 3, "Channels of the images.")
flags.DEFINE_integer("num_levels", 3, "L.")
flags.DEFINE_integer("num_steps", 4, "K.")
flags.DEFINE_integer("hidden_channels", 64, "C.")
flags.DEFINE_string("coupling", "affine", "affine or mixlogcdf.")
flags.DEFINE_string("prior", "mar", "mar or gaussian.")
flags.DEFINE_integer("batch_size", 16, "Images a call.", lower_bound=1)
flags.DEFINE_integer("num_repeats", 10, "Interleaved repeats; medians are shown.", lower_bound=1)
flags.DEFINE_string(
    "baseline", None, 'JSON file to compare with: {"train_step": seconds, "log_prob": ..., ...}.'
)
flags.DEFINE_string("json", None, "JSON file to write the seconds to.")


def read_baseline(path):
    """The seconds of a baseline file."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def speed():
    """Prints seconds, and ratios to the baseline, of each task."""
    values = flags.FLAGS
    height, width = (int(values.image_size[0]), int(values.image_size[-1]))
    config = command_line.checked(
        MarScfConfig,
        image_shape=(height, width, values.image_channels),
        num_levels=values.num_levels,
        num_steps=values.num_steps,
        hidden_channels=values.hidden_channels,
        coupling=values.coupling,
        prior=values.prior,
    )
    baseline = command_line.checked(read_baseline, values.baseline) if values.baseline else {}
    from tf_marscf.atomic_file import atomic_write
    from tf_marscf.evaluation.speed import TASKS, convolution_peak, make_tasks, measure

    peak_task, operations = convolution_peak()
    tasks = make_tasks(config, values.batch_size) | {"convolution": peak_task}
    seconds = measure(tasks, values.num_repeats)
    print(f"{'task':<12}{'seconds':>10}{'baseline':>10}{'speed-up':>10}")
    for task in TASKS:
        row = f"{task:<12}{seconds[task]:>10.4f}"
        if task in baseline:
            row += f"{baseline[task]:>10.4f}{baseline[task] / seconds[task]:>9.2f}x"
        print(row)
    print(f"3x3 convolution: {operations / seconds['convolution'] / 1e9:.0f} GFLOP/s")
    if values.json:
        with atomic_write(values.json) as file:
            file.write((json.dumps({task: seconds[task] for task in TASKS}) + "\n").encode())


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] != "speed":
        print("error: the first argument must be one of: speed", file=sys.stderr)
        sys.exit(2)
    del sys.argv[1]
    command_line.run(speed)

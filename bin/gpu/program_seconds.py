"""Times the programs of a portable folder with JAX, or trains for some seconds.

python3 program_seconds.py FOLDER [PROGRAM ...] [--num_repeats=20]
python3 program_seconds.py FOLDER --train_seconds=300 --data=FILE.npz --output=NEW_FOLDER

The folder is one of `bin/benchmark.py portable`; `run_stablehlo.py` lies beside this file.
"""

import argparse
import json
import time

import jax
import numpy as np
from run_stablehlo import PortableModel, read_arrays

NUM_WARM_UP_CALLS = 2


def noise_of(model, task):
    """One batch of valid inputs."""
    random, inputs = np.random.default_rng(0), {}
    limits = {"images": model.num_grey_levels, "labels": model.num_classes, "seed": 1000}
    for one in task["inputs"]:
        if one["name"] in limits:
            inputs[one["name"]] = random.integers(limits[one["name"]], size=one["shape"])
        else:
            inputs[one["name"]] = random.uniform(-0.5, 0.5, one["shape"])
    return inputs


def seconds(model, name, num_repeats):
    """Seconds of each call of a program, waiting for its first output."""
    inputs, spent = noise_of(model, model.tasks[name]), []
    for _ in range(NUM_WARM_UP_CALLS + num_repeats):
        start = time.perf_counter()
        np.asarray(next(iter(model.call(name, inputs).values())))
        spent.append(time.perf_counter() - start)
    return spent[NUM_WARM_UP_CALLS:]


def time_programs(model, names, num_repeats):
    """Prints a line of JSON a program."""
    for name in names:
        start = time.perf_counter()
        model.compiled(name)
        compiled = time.perf_counter() - start
        spent = seconds(model, name, num_repeats)
        facts = {"median_s": float(np.median(spent)), "min_s": min(spent), "compile_s": compiled}
        print(json.dumps({"program": name} | facts | model.memory(name)), flush=True)


def train(model, path, limit, print_every):
    """Trains on batches drawn at random; prints test bits/dim, which takes no training time."""
    data = read_arrays(path)
    steps = model.train({"images": data["train"]}, num_steps=2**31, shuffle_seed=0)
    spent, count, report = 0.0, 0, print_every
    while spent < limit:
        start = time.perf_counter()
        values = next(steps)
        spent, count = spent + time.perf_counter() - start, count + 1
        if spent >= report or spent >= limit:
            report += print_every
            bits = model.run("bits_per_dim", {"images": data["test"]})["bits_per_dim"].mean()
            print(
                f"seconds {spent:.0f} steps {count} images {count * model.batch_size} "
                f"train {values['bits_per_dim']:.4f} test bits/dim {bits:.4f}",
                flush=True,
            )


def main():
    """Times, or trains."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("programs", nargs="*")
    parser.add_argument("--num_repeats", type=int, default=20)
    parser.add_argument("--train_seconds", type=float)
    parser.add_argument("--print_every", type=float, default=30.0, help="seconds")
    parser.add_argument("--data")
    parser.add_argument("--output")
    options = parser.parse_args()
    device = jax.devices()[0]
    print(f"{device.device_kind}, jax {jax.__version__}", flush=True)
    model = PortableModel(options.folder)
    if options.train_seconds is None:
        time_programs(model, options.programs or model.tasks, options.num_repeats)
    else:
        train(model, options.data, options.train_seconds, options.print_every)
        model.save(options.output)
    peak = (device.memory_stats() or {}).get("peak_bytes_in_use", 0)
    print(f"peak {peak / 2**30:.2f} GiB")


if __name__ == "__main__":
    main()

"""The published PyTorch code on the same tasks: its seconds, or a training.

python3 published_code.py time --coupling=affine --hidden_channels=64 [--tensor_float_32]
python3 published_code.py train --data=FILE.npz --seconds=300

The checkout of visinf/mar-scf lies beside this file, as `mar-scf`.
"""

import argparse
import collections
import collections.abc
import importlib.machinery
import importlib.util
import json
import sys
import time
import types
from pathlib import Path

import numpy as np
import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
NUM_WARM_UP_CALLS = 3
STEPS_PER_LOSS = 20  # Reading a loss waits for the GPU.


def import_published():
    """The module of the published model, which current versions of its packages must be helped to.

    torchvision is imported there and not used here, nor is tqdm, which may be missing;
    `collections.Iterable` is gone; and a view must not be scaled in place.
    """
    collections.Iterable = collections.abc.Iterable
    for name in ("", ".datasets", ".transforms", ".utils", ".transforms.functional"):
        sys.modules[f"torchvision{name}"] = types.ModuleType(f"torchvision{name}")
    torchvision = sys.modules["torchvision"]
    for name in ("datasets", "transforms", "utils"):
        setattr(torchvision, name, sys.modules[f"torchvision.{name}"])
    torchvision.transforms.functional = sys.modules["torchvision.transforms.functional"]
    if importlib.util.find_spec("tqdm") is None:
        tqdm = sys.modules["tqdm"] = types.ModuleType("tqdm")
        tqdm.tqdm = None
        tqdm.__spec__ = importlib.machinery.ModuleSpec("tqdm", None)  # PyTorch asks for it.
    sys.path.insert(0, str(Path(__file__).resolve().with_name("mar-scf")))
    if DEVICE == "cpu":
        torch.Tensor.cuda = lambda self, *args, **kwargs: self
    from flow_modules import mixlogcdf_nn

    split = mixlogcdf_nn.GatedAttn.split_last_dim
    mixlogcdf_nn.GatedAttn.split_last_dim = staticmethod(lambda x, n: split(x, n).clone())
    import marscf_main

    return marscf_main


def build(options, height, channels):
    """The model and the function of its training step, of images [B, C, H, W] in -0.5 ... 0.5."""
    published = import_published()
    torch.manual_seed(0)
    sizes = (options.num_levels, options.num_steps, options.hidden_channels)
    shape = [height, height, channels]
    model = published.MarScfFlow(options.batch_size, shape, options.coupling, *sizes)
    if channels == 1:  # Its prior is of colour images.
        from mar_prior import corr_prior

        model.flow.c_prior = corr_prior.ChannelPriorMultiScale(
            options.batch_size, channels, height, height, options.num_levels,
            mog=False, dp_rate=0, num_layers=3, hidden_size=32,
        )  # fmt: skip
    model = model.to(DEVICE)
    optimizer = torch.optim.Adamax(model.parameters(), lr=8e-4)

    def step(images, rate=8e-4):
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss = model(images)[1].mean()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def wait():
    """Waits for the GPU."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def time_tasks(options):
    """Prints a line of JSON a task."""
    model, step = build(options, 32, 3)
    images = torch.rand(options.batch_size, 3, 32, 32, device=DEVICE) - 0.5

    def without_gradient(*args, **kwargs):
        model.eval()
        with torch.no_grad():
            model(*args, **kwargs)

    tasks = {
        "train_step": lambda: step(images, 1e-5),
        "log_prob": lambda: without_gradient(images),
        "sample": lambda: without_gradient(None, None, reverse=True, eps_std=1.0),
    }
    for name, task in tasks.items():
        spent = []
        try:
            for _ in range(NUM_WARM_UP_CALLS + options.num_repeats):
                wait()
                start = time.perf_counter()
                task()
                wait()
                spent.append(time.perf_counter() - start)
        except RuntimeError as error:  # Such as no memory: the others still have their figures.
            print(json.dumps({"task": name, "error": str(error)[:300]}), flush=True)
            continue
        spent = spent[NUM_WARM_UP_CALLS:]
        facts = {"median_s": float(np.median(spent)), "min_s": min(spent)}
        print(json.dumps({"task": name} | facts), flush=True)
    if DEVICE == "cuda":
        print(f"peak {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")


def train(options):
    """Trains by the published recipe, a warm-up over 10,000 images; prints test bits/dim."""
    arrays = np.load(options.data)
    data = {name: arrays[name].transpose(0, 3, 1, 2) for name in ("train", "test")}
    _, channels, height, _ = data["train"].shape
    model, step = build(options, height, channels)
    generator, size = np.random.default_rng(0), options.batch_size

    def prepared(pixels):
        return torch.tensor(pixels).to(DEVICE).float() / 255.0 - 0.5

    def test():
        model.eval()
        starts = range(0, len(data["test"]) - size + 1, size)  # Its batches are whole ones.
        with torch.no_grad():
            bits = [
                model(prepared(data["test"][start : start + size]))[1].mean().item()
                for start in starts
            ]
        return np.mean(bits)

    spent, count, report = 0.0, 0, options.print_every
    while spent < options.seconds:
        start = time.perf_counter()
        rows = generator.integers(len(data["train"]), size=size)
        loss = step(prepared(data["train"][rows]), 8e-4 * min(1.0, count * size / 10000))
        if count % STEPS_PER_LOSS == 0:
            value = loss.item()
        spent, count = spent + time.perf_counter() - start, count + 1
        if spent >= report or spent >= options.seconds:
            report += options.print_every
            print(
                f"seconds {spent:.0f} steps {count} images {count * size} "
                f"train {value:.4f} test bits/dim {test():.4f}",
                flush=True,
            )


def main():
    """Times, or trains."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["time", "train"])
    parser.add_argument("--coupling", default="affine")
    for name, default in {
        "num_levels": 3, "num_steps": 4, "hidden_channels": 64, "batch_size": 64, "num_repeats": 20,
    }.items():  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--print_every", type=float, default=30.0, help="seconds")
    parser.add_argument("--data")
    parser.add_argument("--tensor_float_32", action="store_true")
    options = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    allowed = options.tensor_float_32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    time_tasks(options) if options.task == "time" else train(options)


if __name__ == "__main__":
    main()

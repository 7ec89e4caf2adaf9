#!/usr/bin/env python
"""Asks TensorFlow Serving about images: scores them, and draws samples as a picture.

python serving/client.py status
python serving/client.py score IMAGE.png ... --num_grey_levels=17
python serving/client.py score IMAGES.npz --output=scores.csv
python serving/client.py sample --output=samples.png --num_samples=16 --seed=1 --temperature=0.9

An .npz file holds an array `images`, uint8 [N, H, W, C], with grey levels as the model has them.
Image files hold 0 to 255: each of the model's grey levels takes an equal part of these.
--interface=grpc needs tensorflow-serving-api (`pip install 'tf_marscf[serving]'`); the other one,
REST, needs requests; both NumPy and Pillow.
"""

import argparse
import math
import sys
from pathlib import Path

from client_images import draw_picture, read_images, write_whole
from client_servers import GrpcServer, InputError, NotFoundError, RestServer, ServerError

_PORTS = {"rest": 8501, "grpc": 8500}
_DTYPES = {"DT_UINT8": "uint8", "DT_INT32": "int32", "DT_FLOAT": "float32", "DT_DOUBLE": "float64"}
_MOST = 2**31 - 1


class Model:
    """A version of a model on a server, which is loaded; `ServerError` says why it is not."""

    def __init__(self, server, name, version):
        self._server, self.name = server, name
        try:
            self.versions = server.versions()
        except NotFoundError as error:
            raise NotFoundError(f"the server has no model {name!r} (--model): {error}") from error
        wanted = self.versions if version is None else [version]
        if not set(wanted) <= set(self.versions):
            seen = ", ".join(map(str, sorted(self.versions)))
            raise NotFoundError(f"model {name!r} has no version {version}; the server has {seen}")
        if not any(self.versions[number][0] == "AVAILABLE" for number in wanted):
            number = max(wanted)
            state, message = self.versions[number]
            raise ServerError(
                f"version {number} of model {name!r} is {state}, not AVAILABLE"
                + (f": {message}" if message else "; ask again, or see the server's log")
            )
        self.signatures = {
            key: signature
            for key, signature in server.signatures().items()
            if not key.startswith("__")
        }

    def inputs(self, signature):
        """The inputs of a signature, as `TensorInfo`s in dicts, by name."""
        if signature not in self.signatures:
            raise ServerError(
                f"model {self.name!r} must have a signature {signature!r}, as exports of tf_marscf "
                f"have; it has {', '.join(sorted(self.signatures))}"
            )
        return self.signatures[signature]["inputs"]

    def predict(self, signature, inputs):
        """The outputs of a signature, arrays by name."""
        import numpy as np

        infos = self.signatures[signature]["outputs"]
        outputs = self._server.predict(signature, inputs, list(infos))
        return {
            name: np.asarray(outputs[name], _DTYPES[info["dtype"]]) for name, info in infos.items()
        }

    def has_classes(self, signature):
        """Whether a signature takes labels."""
        return "labels" in self.inputs(signature)

    def labels(self, signature, label, num_images):
        """The inputs of a signature that say the class of `num_images` images."""
        import numpy as np

        if self.has_classes(signature) != (label is not None):
            rule = "must" if label is None else "must not"
            having = "has classes" if label is None else "has no classes"
            raise InputError(f"--label {rule} be given: model {self.name!r} {having}")
        return {} if label is None else {"labels": np.full([num_images], label, np.int32)}


def shape_of(info):
    """The sizes of a `TensorInfo` in a dict, -1 where any is allowed; None: any shape."""
    shape = info["tensor_shape"]
    return None if shape["unknown_rank"] else [int(dim["size"]) for dim in shape.get("dim", [])]


def described(infos):
    """Names, dtypes and shapes of inputs or outputs, in words."""
    words = []
    for name, info in sorted(infos.items()):
        sizes = shape_of(info)
        sizes = ["..."] if sizes is None else ["N" if size < 0 else str(size) for size in sizes]
        words.append(f"{name} {_DTYPES.get(info['dtype'], info['dtype'])} [{', '.join(sizes)}]")
    return ", ".join(words)


def print_status(model, options):
    """Prints the versions of a model, and the signatures of the one that is asked."""
    for number, (state, message) in sorted(model.versions.items()):
        print(f"{model.name} version {number}: {state}{message and ': ' + message}")
    for name, signature in sorted(model.signatures.items()):
        print(f"  {name}: {described(signature['inputs'])} -> {described(signature['outputs'])}")


def score(model, options):
    """Prints the scores of images, or writes them to a file."""
    import numpy as np

    named = read_images(options.images, options.num_grey_levels)
    expected = shape_of(model.inputs("serving_default")["images"])[1:]
    for name, image in named:
        if list(image.shape) != expected:
            raise InputError(
                f"{name} has height, width and channels {list(image.shape)}; model {model.name!r} "
                f"takes {expected}"
            )
    rows, total = ["image,bits_per_dim,log_prob"], 0.0
    for start in range(0, len(named), options.batch_size):
        batch = named[start : start + options.batch_size]
        inputs = {"images": np.stack([image for _, image in batch])}
        inputs |= model.labels("serving_default", options.label, len(batch))
        outputs = model.predict("serving_default", inputs)
        total += outputs["bits_per_dim"].sum(dtype=float)
        for (name, _), bits, log_prob in zip(
            batch, outputs["bits_per_dim"], outputs["log_prob"], strict=True
        ):
            quoted = '"' + name.replace('"', '""') + '"' if set(name) & set(',"\n') else name
            rows.append(f"{quoted},{bits:.6g},{log_prob:.6g}")
    if options.output is None:
        print("\n".join(rows))
    else:
        write_whole(options.output, ("\n".join(rows) + "\n").encode())
        print(f"wrote {options.output}")
    print(f"mean of {len(named)} images: {total / len(named):.4f} bits/dim")


def sample(model, options):
    """Draws samples and writes them as one picture."""
    import numpy as np

    if model.has_classes("sample"):
        inputs = model.labels("sample", options.label, options.num_samples)
    else:
        model.labels("sample", options.label, 0)
        inputs = {"num_samples": np.int32(options.num_samples)}
    inputs["seed"] = np.int32(options.seed)
    levels = options.temperature
    inputs["temperature"] = np.array(levels[0] if len(levels) == 1 else levels, np.float32)
    images = model.predict("sample", inputs)["images"]
    write_whole(options.output, draw_picture(images, options.num_grey_levels))
    print(f"wrote {len(images)} samples to {options.output}")


def integer(least, most):
    """A parser of integers for argparse."""

    def parse(text):
        if not text.isascii() or not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(
                f"must be an integer from {least} to {most}; got {text!r}"
            )
        return int(text)

    return parse


def seconds(text):
    """A number above 0, for argparse."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a finite number > 0; got {text!r}")
    return value


def temperatures(text):
    """One number, or several separated by commas, for argparse."""
    values = [_number(part) for part in text.split(",")]
    if not all(0 <= value < math.inf for value in values):
        raise argparse.ArgumentTypeError(
            f"must be a finite number >= 0, or one a level, such as 0.9,0.8; got {text!r}"
        )
    return values


def _number(text):
    try:
        return float(text)
    except ValueError:
        return math.nan


def address(text):
    """HOST:PORT, for argparse."""
    host, _, port = text.rpartition(":")
    if not host or "/" in text or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise argparse.ArgumentTypeError(f"must be HOST:PORT, such as localhost:8501; got {text!r}")
    return text


def output_path(suffix):
    """A parser of paths of files to write, for argparse."""

    def parse(text):
        path = Path(text)
        if path.suffix != suffix or path.is_dir() or not path.parent.is_dir():
            raise argparse.ArgumentTypeError(
                f"must be a {suffix} file in a directory that exists; got {text!r}"
            )
        return path

    return parse


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message):
        """Ends the process."""
        sys.exit(fail(message, 2))


def make_parser():
    """The parser of the command line."""
    common = Parser(add_help=False, allow_abbrev=False)
    common.add_argument("--interface", choices=list(_PORTS), default="rest")
    common.add_argument(
        "--server", type=address, help="HOST:PORT; default: localhost:8501, of gRPC localhost:8500"
    )
    common.add_argument("--model", default="digits", help="its name (digits)")
    common.add_argument("--version", type=integer(1, 2**63 - 1), help="default: the newest")
    common.add_argument("--timeout", type=seconds, default=60.0, help="seconds an answer (60)")
    images = Parser(add_help=False, allow_abbrev=False)
    images.add_argument(
        "--num_grey_levels", type=integer(2, 256), default=256, help="of the model's images (256)"
    )
    images.add_argument("--label", type=integer(0, _MOST), help="class, of a model with classes")
    parser = Parser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name, function, *parents):
        command = commands.add_parser(
            name, parents=[common, *parents], allow_abbrev=False, description=function.__doc__
        )
        command.set_defaults(function=function)
        return command

    add("status", print_status)
    scoring = add("score", score, images)
    scoring.add_argument(
        "images", nargs="+", metavar="IMAGES", help="image files, or one .npz file"
    )
    scoring.add_argument("--batch_size", type=integer(1, 4096), default=64, help="a request (64)")
    scoring.add_argument("--output", type=output_path(".csv"), help="a .csv file; default: printed")
    sampling = add("sample", sample, images)
    sampling.add_argument("--output", type=output_path(".png"), default=Path("samples.png"))
    sampling.add_argument("--num_samples", type=integer(1, _MOST), default=16, help="(16)")
    sampling.add_argument("--seed", type=integer(0, _MOST), default=0, help="(0)")
    sampling.add_argument(
        "--temperature", type=temperatures, default=[1.0],
        help="a number, or one a level: 0.9,0.8 (1)",
    )  # fmt: skip
    return parser


def fail(error, status):
    """Prints an error in one line; returns the status."""
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    return status


def main():
    """Runs a command."""
    options = make_parser().parse_args()
    server_class = RestServer if options.interface == "rest" else GrpcServer
    server = options.server or f"localhost:{_PORTS[options.interface]}"
    try:
        connection = server_class(server, options.model, options.version, options.timeout)
        options.function(Model(connection, options.model, options.version), options)
    except InputError as error:
        sys.exit(fail(error, 2))
    except (ServerError, OSError) as error:
        sys.exit(fail(error, 1))


if __name__ == "__main__":
    main()

"""SavedModels through TensorFlow's C interface, the loader of servers: no Python inside."""

import pathlib
import subprocess
import threading

import numpy as np
import tensorflow as tf
from tensorflow.python.saved_model.loader_impl import parse_saved_model

_SOURCE = pathlib.Path(__file__).parent / "serving" / "load_saved_model.c"


def compile_program(directory):
    """Compiles load_saved_model.c; returns the path of the program."""
    path = pathlib.Path(directory, "load_saved_model")
    library = tf.sysconfig.get_lib()
    subprocess.run(
        [
            "gcc", "-Wall", "-Werror", "-O1", str(_SOURCE), f"-I{tf.sysconfig.get_include()}",
            f"-L{library}", "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2",
            f"-Wl,-rpath,{library}", "-pthread", "-o", str(path),
        ],
        check=True,
    )  # fmt: skip
    return path


class SavedModelInC:
    """A version of an export, called in the C program.

    Attributes:
        signatures: the `SignatureDef`s by name, as a server lists them.
    """

    def __init__(self, program, version, directory):
        self._command, self._directory = [str(program), str(version)], pathlib.Path(directory)
        self.signatures = parse_saved_model(str(version)).meta_graphs[0].signature_def

    def answers(self, requests, num_threads=1):
        """Runs all requests in one process, `num_threads` times at once.

        `requests` are pairs (signature, inputs). Returns a dict from (number of the request,
        thread) to a dict of flat arrays, or to "CODE MESSAGE".
        """
        lines = [self._line(f"request{number}", *one) for number, one in enumerate(requests)]
        process = subprocess.run(
            [*self._command, str(num_threads)], input="\n".join(lines),
            capture_output=True, text=True, check=True, cwd=self._directory,
        )  # fmt: skip
        answers = {}
        for line in process.stdout.splitlines():
            thread, name, result = line.split(" ", 2)
            number = int(name.removeprefix("request").removesuffix(":"))
            if result == "ok":
                result = self._outputs(f"request{number}", requests[number][0], thread)
            answers[number, int(thread)] = result
        assert len(answers) == num_threads * len(requests)
        return answers

    def _line(self, request, signature, inputs):
        definition = self.signatures[signature]
        words = [request]
        for name, value in inputs.items():
            path = self._directory / f"{request}.{name}"
            path.write_bytes(value.tobytes())
            dtype = tf.as_dtype(value.dtype).as_datatype_enum
            operation = definition.inputs[name].name.removesuffix(":0")
            words += [operation, dtype, value.ndim, *value.shape, path.name]
        words.append("--")
        for info in definition.outputs.values():
            words += info.name.rsplit(":", 1)
        return " ".join(map(str, words))

    def _outputs(self, request, signature, thread):
        outputs = {}
        for index, (name, info) in enumerate(self.signatures[signature].outputs.items()):
            content = (self._directory / f"{request}.{index}.{thread}").read_bytes()
            outputs[name] = np.frombuffer(content, tf.as_dtype(info.dtype).as_numpy_dtype)
        return outputs


class RunningSavedModel(SavedModelInC):
    """As `SavedModelInC`, in a process that loads the model once; requests come one by one."""

    def __init__(self, program, version, directory):
        super().__init__(program, version, directory)
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [*self._command, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=directory,
        )  # fmt: skip

    def run(self, signature, inputs):
        """Returns a dict of arrays; raises `CInterfaceError`."""
        with self._lock:
            print(self._line("request", signature, inputs), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
            assert line, "the C program has ended"
            result = line.rstrip("\n").split(" ", 2)[2]
            if result != "ok":
                code, message = result.split(" ", 1)
                raise CInterfaceError(int(code), message)
            outputs = self._outputs("request", signature, 0)
        definition = self.signatures[signature].outputs
        return {
            # Only the number of images is unknown.
            name: value.reshape([dim.size for dim in definition[name].tensor_shape.dim])
            for name, value in outputs.items()
        }

    def close(self):
        """Ends the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait() == 0


class CInterfaceError(Exception):
    """An error of a session's run: its `code`, a number, and its message."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code

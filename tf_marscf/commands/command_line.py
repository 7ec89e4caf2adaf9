"""What the commands share: flags from config classes, plans and errors in one line.

A command's module defines its flags in a function, so that importing it does nothing, and its
`run()` is called by the script in bin/ and by the console script of the same name. It says what it
will do when it starts TensorFlow, and last of all where its results are.
"""

import functools
import re
import signal
import sys

from absl import app, flags, logging

from tf_marscf.command_text import called_command
from tf_marscf.commands.version import answer_version
from tf_marscf.config_fields import REQUIRED, fields_with_flags
from tf_marscf.errors import InputError, RunError, StoppedError
from tf_marscf.fields_without_effect import fields_without_effect
from tf_marscf.files.paths import local_path
from tf_marscf.kernels.choices import MAX_CORES_FOR_ONE_THREAD
from tf_marscf.kernels.threads import set_default_intra_op_threads
from tf_marscf.quiet_import import import_tensorflow
from tf_marscf.runs.run_config import RunConfig

_USAGE_STATUS = 2
_FAILURE_STATUS = 1
_SIZE = re.compile("[1-9][0-9]{0,8}")
_HELP = ("--help", "-help", "--helpshort", "--helpfull", "--helpxml", "-?")


class _PathParser(flags.ArgumentParser):
    """Checks a path when the flags are parsed, before anything else."""

    syntactic_help = "a path on this machine"

    def __init__(self, name):
        super().__init__()
        self._name = name

    def parse(self, argument):
        """The path, `~` expanded; raises `InputError`, a `ValueError`."""
        return local_path(self._name, argument)


def define_path(name, default, text, required=False):
    """Defines a flag for a file or directory; see `local_path` for what it takes."""
    serializer = flags.ArgumentSerializer()
    flags.DEFINE(_PathParser(name), name, default, text, serializer=serializer, required=required)


class _IntegersParser(flags.ArgumentParser):
    """One integer, or a tuple of several."""

    syntactic_help = "integers, separated by commas"

    def parse(self, argument):
        """Raises `ValueError` if something else is between the commas."""
        parts = [part.strip() for part in argument.split(",")]
        if not all(map(_SIZE.fullmatch, parts)):
            raise ValueError("must be integers >= 1, separated by commas")
        return int(parts[0]) if len(parts) == 1 else tuple(map(int, parts))


def _define_integers(name, default, text, required=False):
    serializer = flags.ArgumentSerializer()
    flags.DEFINE(_IntegersParser(), name, default, text, serializer=serializer, required=required)


def _define_list(name, default, text, required=False):
    if default is not None:
        values = default if isinstance(default, list | tuple) else [default]
        default = [str(value) for value in values]
    flags.DEFINE_list(name, default, text, required=required)


class _SwitchParser(flags.BooleanParser):
    """`auto`, or what a Boolean flag takes."""

    syntactic_help = "auto, true or false"

    def parse(self, argument):
        """Raises `ValueError` for anything else."""
        if argument == "auto":
            return argument
        try:
            return super().parse(argument)
        except ValueError as error:
            raise ValueError(f"must be {self.syntactic_help}") from error


def _define_switch(name, default, text, required=False):
    # As of a Boolean flag, `--NAME` is true and `--noNAME` false.
    serializer, options = flags.ArgumentSerializer(), {"required": required, "boolean": True}
    flags.DEFINE(_SwitchParser(), name, default, text, serializer=serializer, **options)


_DEFINE = {
    "integer": flags.DEFINE_integer,
    "number": flags.DEFINE_float,
    "boolean": flags.DEFINE_boolean,
    "switch": _define_switch,
    "string": flags.DEFINE_string,
    "path": define_path,
    "list": _define_list,
    "integers": _define_integers,
}


def define_flags(config_class, names=None, **defaults):
    """Defines a flag for each field of a `Config` class that has one.

    `names` are those of the fields whose flags there are; None: all. `defaults`, by the field's
    name, are those that are not the field's own.
    """
    for field, flag in fields_with_flags(config_class):
        if names is not None and field.name not in names:
            continue
        default = defaults.get(field.name, field.default)
        is_required = default is REQUIRED
        define, text = _DEFINE[field.metadata["kind"]], field.metadata["help"]
        define(flag, None if is_required else default, text, required=is_required)


def flag_values(config_class, names=None):
    """The values of the flags of a config class, by the names of its fields; see above."""
    return {
        field.name: flags.FLAGS[flag].value
        for field, flag in fields_with_flags(config_class)
        if names is None or field.name in names
    }


def define_image_size():
    """Defines the flag that `image_size` reads."""
    flags.DEFINE_list("image_size", ["32"], "Size of the images: N, or HEIGHT,WIDTH.")


def image_size():
    """Height and width; `InputError` if they are not one or two integers of at least 1."""
    sizes = [size.strip() for size in flags.FLAGS.image_size]
    if len(sizes) not in (1, 2) or not all(map(_SIZE.fullmatch, sizes)):
        raise InputError(
            f"`image_size` must be N or HEIGHT,WIDTH, integers >= 1; got {','.join(sizes)!r}."
        )
    return int(sizes[0]), int(sizes[-1])


def define_progress():
    """Defines whether a progress bar is shown."""
    flags.DEFINE_enum("progress", "bar", ["bar", "none"], "What is shown meanwhile.")


def refuse_given(names, reason):
    """Raises `InputError` if one of some flags, which have no effect, was given.

    What a flagfile says is a recipe, parts of which other flags may replace: it is not refused.
    `reason` says why they have none, the end of a sentence, such as "without --metrics".
    """
    for name in names:
        flag = flags.FLAGS[name]
        if flag.present and _is_outside_flagfiles(name):
            raise InputError(
                f"`{name}` must not be given {reason}, where it has no effect; got {flag.value!r}."
            )


def refuse_flags_without_effect(options):
    """Refuses what has no effect with some values, as of `fields_without_effect`."""
    for name, reason in fields_without_effect(options).items():
        if name in flags.FLAGS:
            refuse_given([name], f"with {reason}")


def _is_outside_flagfiles(name):
    """Whether the command's own arguments name a flag."""
    names = [word.lstrip("-").partition("=")[0] for word in sys.argv[1:] if word.startswith("-")]
    return not {name, f"no{name}"}.isdisjoint(names)


def model_in(train_dir):
    """What a plan calls the model in a training directory; `InputError` if there is none."""
    config = RunConfig.load(train_dir)
    size = "x".join(map(str, config.model.image_shape))
    images = f"{size} images" if config.data is None else f"{config.data.name}, {size}"
    return f"the model in {train_dir} ({images})"


def time_depends_on(what):
    """The sentence of a plan that says how long a command takes, which shows how far it is.

    `what` is the end of "How long it takes depends on ...".
    """
    is_shown = "progress" not in flags.FLAGS or flags.FLAGS.progress != "none"
    left = "once the first part is timed, the time left is shown" if is_shown else "it is not shown"
    return f"How long it takes depends on {what}, and on the device: {left}."


def start_tensorflow(plan, time):
    """Says what a command will do, and imports TensorFlow; commands call it once all is checked.

    Args:
        plan: a sentence that says what the command will do, without its full stop.
        time: a sentence that says how long it may take, such as `time_depends_on`. No figure is
            made up: what is not known before is said once it is measured.
    """
    print(f"{plan}. {time}", file=sys.stderr, flush=True)
    import_tensorflow()
    from tf_marscf.kernels.tensor_float_32 import set_tensor_float_32

    set_tensor_float_32(flags.FLAGS.tensor_float_32)


def _fail(message, status):
    print(f"error: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(status)


def _parse_flags(arguments, read_arguments):
    asked = [word for word in arguments[1:] if word in _HELP]
    if asked:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `--help | head` ends without a word.
    try:
        # Help is help, whatever else is wrong.
        read = [arguments[0], *asked] if asked else read_arguments(arguments)
        remaining = flags.FLAGS(read)
    except SystemExit:  # Only help ends so, with status 1 in absl.
        sys.exit(0)
    except UnicodeDecodeError as error:
        _fail(f"--flagfile must be a text file in UTF-8; {error}", _USAGE_STATUS)
    except (flags.Error, ValueError) as error:  # A ValueError: `--noNAME=VALUE`.
        _fail(error, _USAGE_STATUS)
    if len(remaining) > 1:
        _fail(f"unknown argument {remaining[1]!r}; options start with --", _USAGE_STATUS)
    return remaining


def _describe_usage(module, name):
    """Lets `--help` show a command's own docstring and flags, whatever script was started."""
    for defining_module, own_flags in flags.FLAGS.flags_by_module_dict().items():
        if defining_module.startswith("tf_marscf."):
            for flag in own_flags:
                flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    text = (module.__doc__ or "").replace(f"python bin/{name}.py", called_command(name))
    sys.modules["__main__"].__doc__ = text


def run(main, define_flags=None, one_thread_on_few_cores=True, read_arguments=list):
    """Runs a command: `define_flags()`, then `main()`, with expected errors in one line.

    `--intra_op_threads` is a flag of every command. Where it and TensorFlow's environment variable
    are missing, operations have one thread on few cores, if `one_thread_on_few_cores`.
    `read_arguments` makes of `sys.argv` what absl parses. `--help` and `--version` end the process
    with status 0, before any other flag is looked at.
    An `InputError` or a wrong flag ends the process with status 2; a `RunError`, or an `OSError`
    such as that of a full disk, with status 1; a `StoppedError` with its own, and Ctrl-C with 130.
    Anything else is a bug, and keeps its traceback.
    """
    if define_flags is not None:
        define_flags()
    module = sys.modules[main.__module__]
    name = module.__name__.rpartition(".")[2]
    answer_version(name, takes_number="version" in flags.FLAGS)
    if "version" not in flags.FLAGS:
        flags.DEFINE_boolean("version", False, "Print the version of tf_marscf, and nothing else.")
    default = f"1 on at most {MAX_CORES_FOR_ONE_THREAD} cores, which is faster, and 0 on more"
    flags.DEFINE_integer(
        "intra_op_threads",
        None,
        "Threads inside of one operation on CPUs; 0: one a core. Default: TF_NUM_INTRAOP_THREADS "
        f"of the environment, else {default if one_thread_on_few_cores else 0}.",
        lower_bound=0,
    )
    flags.DEFINE_boolean(
        "tensor_float_32",
        False,
        "Let networks use TensorFloat-32 on GPUs: faster, with 10 bits of mantissa.",
    )
    _describe_usage(module, name)

    def call_main(_):
        logging.set_verbosity(logging.WARNING)
        try:
            set_default_intra_op_threads(flags.FLAGS.intra_op_threads, one_thread_on_few_cores)
            main()
        except InputError as error:
            _fail(error, _USAGE_STATUS)
        except (RunError, OSError) as error:
            _fail(error, _FAILURE_STATUS)
        except StoppedError as error:
            print(error)
            sys.exit(error.exit_status)
        except KeyboardInterrupt:
            _fail("interrupted", 128 + signal.SIGINT)

    app.run(call_main, flags_parser=functools.partial(_parse_flags, read_arguments=read_arguments))

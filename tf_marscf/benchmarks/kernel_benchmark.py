"""How long each kernel takes that `kernels/choices.py` chooses among, at each level of a model.

A task is traced as it is, which tells what there is to choose and what is chosen, and once more for
each other candidate. All other choices are made as they would be. What there is no choice of is not
in the table: that depends on the model and on the device.
"""

import statistics

import tensorflow as tf

from tf_marscf.benchmarks.measurement import interleaved_seconds, machine_facts, waiting_task
from tf_marscf.benchmarks.speed_parts import DROPOUT_SEED, flow_of_levels, sum_of_gradients
from tf_marscf.flow import MarScf
from tf_marscf.kernels import choices, devices
from tf_marscf.progress import ProgressLines
from tf_marscf.stateless_seed import stateless_normal, stateless_uniform

# Of one level: what a training step does with its flow and its prior, and what a sample does.
TASKS = ("flow_gradient", "prior_gradient", "flow_inverse", "prior_sample")
COLUMNS = ("level", "task", "kernel", "candidate", "milliseconds", "chosen", "fastest")
_LINE = "{:>5}  {:<15}{:<25}{:<11}{:>12}{:>8}{:>9}"
_TOLERATED_RATIO = 1.1


def measure_kernels(config, batch_size, num_repeats, execution=None, report=print):
    """Times the candidates of each task with random weights and images; those of a task take turns.

    Args:
        config: a `MarScfConfig`.
        batch_size: images a call.
        num_repeats: timed calls of each candidate.
        execution: an `ExecutionConfig`, or None for the default.
        report: called with each line of a table, and then with one for each choice that was not
            the fastest by more than a tenth.

    Returns:
        A dict that JSON can hold: "machine", and "rows", dicts with `COLUMNS`, the milliseconds
        medians.
    """
    model = MarScf.from_config(config, seed=0, execution=execution)
    images = stateless_uniform([batch_size, *config.image_shape], [0, 1], model.dtype) - 0.5
    model.initialize(images)
    of_class = {}
    if config.num_classes is not None:
        of_class = {"label": tf.range(batch_size) % config.num_classes}
    report(_LINE.format(*COLUMNS))
    rows, levels = [], level_functions(model, images, **of_class)
    lines = ProgressLines(len(levels) * len(TASKS), "timing", "tasks")
    for number, functions in enumerate(levels, start=1):
        for task in TASKS:
            for row in _task_rows(functions[task], num_repeats):
                rows.append({"level": number, "task": task, **row})
                report(_table_line(rows[-1]))
            lines.update()
    if not rows:
        report("there is nothing to choose")
    for line in slower_choices(rows):
        report(line)
    report(
        f"chosen as for {'a GPU' if devices.has_gpu() else 'CPUs'}; threads: "
        f"{devices.num_intra_op_threads()} an operation, on {devices.num_cores()} cores"
    )
    return {"machine": machine_facts(), "rows": rows}


def level_functions(model, images, **of_class):
    """A dict from each of `TASKS` to a function, for each level of a `MarScf`.

    The functions have no arguments, and return one number that depends on all that they compute.
    """
    latents, rests, _ = tf.function(lambda: flow_of_levels(model, images), autograph=False)()
    levels = zip(model.levels, [images, *rests], latents, [*rests, None], strict=True)
    return [_functions_of_level(*level, of_class) for level in levels]


def _functions_of_level(level, maps, latents, rest, of_class):
    """Of the level that makes `latents` and `rest` of `maps`."""
    bijector, prior = level.level_bijector, level.latent_prior
    hidden = latents if rest is None else tf.concat([rest, latents], axis=-1)
    noise = stateless_normal(tf.shape(latents), [0, 2], latents.dtype)

    def flow_gradient():
        with tf.GradientTape() as tape:
            tape.watch(maps)
            outputs, log_det = bijector.forward_and_log_det(maps, tf.constant(DROPOUT_SEED))
            # In the place of what a prior hands on: the gradient of a standard-normal one.
            value = tf.reduce_sum(log_det) - tf.reduce_sum(outputs * tf.stop_gradient(outputs))
        return sum_of_gradients(tape.gradient(value, [*bijector.trainable_variables, maps]))

    def prior_gradient():
        inputs = [latents] if rest is None else [latents, rest]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = tf.reduce_sum(prior.log_prob(latents, conditional_input=rest, **of_class))
        return sum_of_gradients(tape.gradient(value, [*prior.trainable_variables, *inputs]))

    def flow_inverse():
        return tf.reduce_sum(bijector.inverse_and_log_det(hidden)[0])

    def prior_sample():
        return tf.reduce_sum(prior.latents_from_noise(noise, rest, **of_class))

    functions = (flow_gradient, prior_gradient, flow_inverse, prior_sample)
    return dict(zip(TASKS, functions, strict=True))


def _task_rows(function, num_repeats):
    """The rows of one task at one level, without these two."""
    own, notes = _traced_task(function)
    made = {choice.name: choice for choice in notes if len(choice.possible) > 1}
    if "single_step_convolution" in made:
        made.pop("step_convolution", None)  # Where single steps begin, and no more.
    tasks = {"own": own}
    for name, choice in made.items():
        for candidate in choice.possible:
            if candidate != choice.chosen:
                tasks[name, candidate], _ = _traced_task(function, **{name: candidate})
    if not made:
        return
    seconds = interleaved_seconds(tasks, num_repeats)
    for name, choice in made.items():
        milliseconds = {
            candidate: 1e3
            * statistics.median(seconds["own" if candidate == choice.chosen else (name, candidate)])
            for candidate in choice.possible
        }
        fastest = min(milliseconds, key=milliseconds.get)
        for candidate, median in milliseconds.items():
            yield {
                "kernel": name,
                "candidate": candidate,
                "milliseconds": median,
                "chosen": candidate == choice.chosen,
                "fastest": candidate == fastest,
            }


def _traced_task(function, **forced):
    """A `waiting_task` that was called once, with some choices forced, and all that were made."""
    task = waiting_task(lambda: function())  # A new one: TensorFlow warns of one traced often.
    with choices.forced(**forced), choices.noted() as notes:
        task()
    return task, notes


def slower_choices(rows):
    """A line for each choice that was slower by more than a tenth than the fastest candidate."""
    fastest = {_choice_of(row): row for row in rows if row["fastest"]}
    for row in rows:
        best = fastest[_choice_of(row)]
        ratio = row["milliseconds"] / best["milliseconds"]
        if row["chosen"] and ratio > _TOLERATED_RATIO:
            yield (
                f"level {row['level']}, {row['task']}, {row['kernel']}: {row['candidate']} is "
                f"chosen, {best['candidate']} was {ratio:.2f}x as fast here"
            )


def _choice_of(row):
    return row["level"], row["task"], row["kernel"]


def _table_line(row):
    marks = ("yes" if row[name] else "" for name in ("chosen", "fastest"))
    names = (row[name] for name in ("level", "task", "kernel", "candidate"))
    return _LINE.format(*names, f"{row['milliseconds']:.3f}", *marks).rstrip()

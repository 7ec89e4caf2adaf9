"""The benchmarks that compare models: what `bin/benchmark.py` does of its own for each of them."""

from absl import flags

from tf_marscf.benchmarks.ablation_config import AblationConfig
from tf_marscf.benchmarks.comparison_configs import (
    DensityBenchmarkConfig,
    SamplingBenchmarkConfig,
)
from tf_marscf.benchmarks.model_kinds import MODEL_KINDS
from tf_marscf.benchmarks.system_comparison_config import SystemComparisonConfig
from tf_marscf.commands import command_line
from tf_marscf.fields_without_effect import fields_without_effect
from tf_marscf.progress import time_text

CONFIGS = {
    "sampling": SamplingBenchmarkConfig,
    "density": DensityBenchmarkConfig,
    "ablation": AblationConfig,
    "compare": SystemComparisonConfig,
}


def define_flags(name):
    """Flags of a benchmark."""
    command_line.define_flags(CONFIGS[name])
    command_line.define_path(
        "output_dir", f"runs/benchmark_{name}", f"Where {name}.png, .csv and .json go."
    )


def compare(name, report):
    """Writes a figure, a table and a JSON file of a benchmark; `report` is called with lines."""
    config = CONFIGS[name](**command_line.flag_values(CONFIGS[name]))
    if name == "ablation":
        _refuse_coupling_flags(config.couplings)
        if set(config.priors) == {"gaussian"}:
            command_line.refuse_given(_mar_prior_flags(), "with --priors=gaussian")
    else:
        _refuse_flags_without_effect(config)
    command_line.start_tensorflow(_plan(name, config), _time(name, config))
    if name == "sampling":
        from tf_marscf.benchmarks.sampling_benchmark import SamplingBenchmark as Benchmark
    elif name == "density":
        from tf_marscf.benchmarks.density_benchmark import DensityBenchmark as Benchmark
    elif name == "compare":
        from tf_marscf.benchmarks.system_comparison import SystemComparison as Benchmark
    else:
        from tf_marscf.benchmarks.ablation import Ablation as Benchmark
    if name in ("ablation", "compare"):
        import tensorflow as tf

        # So that what is gone on with is what would have been, to the last bit.
        tf.config.experimental.enable_op_determinism()
    Benchmark(config, flags.FLAGS.output_dir).run(report)
    if name == "compare":  # Whose table comes last.
        report(f"table, figures and samples: {flags.FLAGS.output_dir}")


def _plan(name, config):
    """What a benchmark will do, a sentence without its full stop."""
    place = f"; results go to {flags.FLAGS.output_dir}"
    if name == "sampling":
        sizes = ", ".join(f"{size} x {size}" for size in config.sizes)
        return f"Times samples of {len(config.models)} models at {sizes} pixels{place}"
    return f"Trains {_num_trainings(name, config)} models on {config.dataset}{place}"


def _time(name, config):
    """How long it may take: a budget where there is one, a sentence."""
    if name == "sampling":
        return command_line.time_depends_on(
            f"the models; timed batches take at most {config.max_seconds:g} s, or two batches, a "
            "model or part of one, and size"
        )
    if config.training_seconds is None:
        return command_line.time_depends_on(f"the models: {config.num_training_steps} steps each")
    number = _num_trainings(name, config)
    bound = "at least" if name == "ablation" and config.num_training_steps else "at most"
    text = f"{time_text(config.training_seconds)} of training each, {bound} "
    text += f"{time_text(number * config.training_seconds)} in all, besides evaluations"
    if name == "compare":
        text += f", and at most {time_text(config.max_sampling_seconds)} or a batch of samples each"
    return f"It takes {text}; the time left is shown meanwhile."


def _num_trainings(name, config):
    """How many models are trained."""
    if name == "ablation":
        return len(list(config.variants())) * len(config.seeds)
    return len(config.models)


def _refuse_flags_without_effect(config):
    """Refuses what has no effect on any of the models that a `ComparisonConfig` names."""
    without = [
        fields_without_effect(vars(config) | MODEL_KINDS[kind].options)
        for kind in config.models
        if MODEL_KINDS[kind].is_mar_scf
    ]
    # "mar" has its options from the flags: it says why.
    for name, reason in fields_without_effect(vars(config)).items():
        if name in flags.FLAGS and all(name in names for names in without):
            command_line.refuse_given([name], f"with {reason}")


def _refuse_coupling_flags(couplings):
    """Refuses what was given and is of a coupling that none of the models has."""
    without = [fields_without_effect({"coupling": coupling}) for coupling in couplings]
    names = [name for name in without[0] if all(name in others for others in without)]
    defined = [name for name in names if name in flags.FLAGS]
    command_line.refuse_given(defined, f"with --coupling={','.join(couplings)}")


def _mar_prior_flags():
    """Names of the flags that only mAR priors have."""
    names = fields_without_effect({"prior": "gaussian"})
    return [name for name in names if name in flags.FLAGS]

"""Trains a tiny model with one of the strategies; `test_strategies.py` runs it."""

import json
import os
import sys

import tensorflow as tf

from tests.small_trainers import MIX_LOG_CDF_OPTIONS, MODEL_OPTIONS, SIMPLE_OPTIONS
from tf_marscf.config import DequantizationConfig
from tf_marscf.data import DataConfig
from tf_marscf.errors import RunError
from tf_marscf.training.training_config import TrainingConfig
from tf_marscf.training.training_run import TrainingRun

# Both couplings and both priors, labels and learned noise; so many blocks are a loop.
MODELS = {
    "affine": {"coupling": "affine", "num_levels": 1, "prior_start": "gaussian"},
    "variational": SIMPLE_OPTIONS | {"num_classes": 10},
    "mixlogcdf": MIX_LOG_CDF_OPTIONS | SIMPLE_OPTIONS | {"coupling": "mixlogcdf", "num_blocks": 3},
}


def main(directory, strategy, coupling, num_accumulated_parts, jit_compile="auto"):
    """Trains for two epochs."""
    if strategy == "mirrored":
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
        )
    run = TrainingRun(
        directory,
        # 196 training images, twelve steps an epoch; the last evaluation batch has one image.
        DataConfig(name="digits", num_validation_images=1301),
        MODEL_OPTIONS | MODELS[coupling],
        TrainingConfig(
            batch_size=16,
            evaluation_batch_size=100,
            num_epochs=2,
            warm_up_images=50,
            learning_rate=5e-3,
            average_decay=0.9,
            prior_start_images=100 if coupling == "affine" else 0,
            num_accumulated_parts=int(num_accumulated_parts),
            num_sample_images=4,
            sample_every=0,
            checkpoint_every=5,
            log_every=1,
            strategy=strategy,
            jit_compile=True if jit_compile == "True" else jit_compile,
        ),
        progress="none",
        dequantization=DequantizationConfig(
            dequantization="variational" if coupling == "variational" else "uniform"
        ),
    )
    try:
        results = run.run()
    except RunError as error:
        sys.exit(f"error: {error}")
    worker = json.loads(os.environ.get("TF_CONFIG", '{"task": {"index": 0}}'))["task"]["index"]
    assert (results is None) == (worker > 0)


if __name__ == "__main__":
    main(*sys.argv[1:])

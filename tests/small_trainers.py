"""Small distributions of 8-bit images, and trainers of them, for the tests."""

import numpy as np

import tf_marscf
from tf_marscf.distributions import VariationalDequantizer
from tf_marscf.training.density_trainer import DensityTrainer
from tf_marscf.training.fused_optimizers import FusedAdamax

MODEL_OPTIONS = {
    "num_levels": 2,
    "num_steps": 1,
    "hidden_channels": 8,
    "prior_hidden_channels": 4,
    "prior_num_layers": 1,
}
# Its graphs are traced and optimised in a quarter of the time, where a test is of what is around.
SIMPLE_OPTIONS = {"num_levels": 1, "prior": "gaussian"}
MIX_LOG_CDF_OPTIONS = {"num_blocks": 1, "num_components": 3, "num_heads": 2}


def small_distribution(**kwargs):
    """A `Dequantized` of 8x8 images with 17 grey levels."""
    options = {"seed": 0} | MODEL_OPTIONS | MIX_LOG_CDF_OPTIONS | kwargs
    return tf_marscf.Dequantized(tf_marscf.MarScf((8, 8, 1), **options), num_grey_levels=17)


def variational_distribution(num_steps=1, **kwargs):
    """The same with learned noise."""
    images = small_distribution(**kwargs)
    dequantizer = VariationalDequantizer(
        (8, 8, 1), 17, num_steps, 4, seed=3, dtype=images.distribution.dtype
    )
    return images.copy(dequantizer=dequantizer)


def small_trainer(distribution, optimizer=None, jit_compile=False, run_eagerly=False, **kwargs):
    """A compiled `DensityTrainer`; a graph is traced and optimised for longer than ten steps."""
    optimizer = optimizer or FusedAdamax(2e-3)
    optimizer.build(distribution.trainable_variables)
    trainer = DensityTrainer(distribution, **kwargs)
    trainer.compile(optimizer=optimizer, jit_compile=jit_compile, run_eagerly=run_eagerly)
    return trainer


def random_pixels(num_images, seed=0):
    """Noise of 17 grey levels."""
    generator = np.random.default_rng(seed)
    return generator.integers(17, size=(num_images, 8, 8, 1)).astype(np.uint8)


def weights_of(distribution):
    """The values of all variables."""
    return [variable.numpy() for variable in distribution.variables]

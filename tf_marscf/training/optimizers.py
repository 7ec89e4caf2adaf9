"""The optimizers that a run may train with."""

import keras

from tf_marscf.training.fused_adamax import FusedAdamax

# Adam's second moments are short: gradients shrink by orders of magnitude in a short run.
_ADAM_BETA_2 = 0.99


def make_optimizer(name, learning_rate):
    """A new Keras optimizer.

    Args:
        name: "adamax", the published one, or "adam" (Kingma & Ba, 2015), whose steps follow the
            gradients' present size: Adamax's follow the greatest of the last thousand steps.
        learning_rate: a number, or a schedule of Keras.
    """
    if name == "adam":
        return keras.optimizers.Adam(learning_rate, beta_2=_ADAM_BETA_2)
    return FusedAdamax(learning_rate)

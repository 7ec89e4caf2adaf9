"""TFP distributions: priors of latent maps, levels of the flow, and images with grey levels."""

from tf_marscf.distributions.class_conditional_prior import ClassConditionalPrior
from tf_marscf.distributions.dequantized import Dequantized
from tf_marscf.distributions.flow_level import FlowLevel
from tf_marscf.distributions.gaussian_prior import GaussianPrior
from tf_marscf.distributions.latent_prior import LatentPrior
from tf_marscf.distributions.mar_prior import MarPrior
from tf_marscf.distributions.pixel_scaling import PixelScaling
from tf_marscf.distributions.split_prior import SplitPrior
from tf_marscf.distributions.variational_dequantizer import VariationalDequantizer

__all__ = [
    "ClassConditionalPrior",
    "Dequantized",
    "FlowLevel",
    "GaussianPrior",
    "LatentPrior",
    "MarPrior",
    "PixelScaling",
    "SplitPrior",
    "VariationalDequantizer",
]

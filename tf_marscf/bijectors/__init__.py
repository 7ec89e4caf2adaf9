"""TFP bijectors: one layer of the flow a file; `forward` maps images towards latents."""

from tf_marscf.bijectors.act_norm import ActNorm
from tf_marscf.bijectors.conditional_flow_step import ConditionalFlowStep
from tf_marscf.bijectors.coupling import AffineCoupling, MixLogCdfCoupling
from tf_marscf.bijectors.flow_step import FlowStep
from tf_marscf.bijectors.half_swap import HalfSwap
from tf_marscf.bijectors.image_bijector import ImageBijector
from tf_marscf.bijectors.image_chain import ImageChain
from tf_marscf.bijectors.invertible_conv1x1 import InvertibleConv1x1
from tf_marscf.bijectors.mixture_logit_cdf import MixtureLogitCdf
from tf_marscf.bijectors.residual_block import ResidualBlock
from tf_marscf.bijectors.squeeze import Squeeze

__all__ = [
    "ActNorm",
    "AffineCoupling",
    "ConditionalFlowStep",
    "FlowStep",
    "HalfSwap",
    "ImageBijector",
    "ImageChain",
    "InvertibleConv1x1",
    "MixLogCdfCoupling",
    "MixtureLogitCdf",
    "ResidualBlock",
    "Squeeze",
]

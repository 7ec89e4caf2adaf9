"""What trains, scores and samples has deterministic kernels on GPUs: no operation raises there.

`bin/train.py` turns on `tf.config.experimental.enable_op_determinism`, by which operations without
a deterministic kernel for GPUs raise `UnimplementedError`. No GPU is needed to see that none is in
the graphs: the list is that of the messages in the library of TensorFlow 2.21, as
`strings libtensorflow_cc.so.2 | grep -i determinis` shows them.
"""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from tests.small_models import small_model
from tests.small_trainers import (
    random_pixels,
    small_distribution,
    small_trainer,
    variational_distribution,
)
from tf_marscf.evaluation.image_scores import _scores_graph
from tf_marscf.interpolation.latent_projection import LatentProjection
from tf_marscf.sampling.sample_graph import SampleGraph

# With when they raise, where that is not always.
WITHOUT_DETERMINISTIC_KERNEL = {
    "AdjustContrast",
    "AdjustContrastv2",
    "Bincount",
    "CropAndResizeGradBoxes",
    "CropAndResizeGradImage",
    "DebugNumericSummaryV2",  # In two modes of TensorFlow's debugger.
    "DenseBincount",
    "Dilation2DBackpropFilter",
    "Dilation2DBackpropInput",
    "FakeQuantWithMinMaxVarsGradient",
    "FakeQuantWithMinMaxVarsPerChannelGradient",
    "FusedBatchNormGrad",  # These three where training is off.
    "FusedBatchNormGradV2",
    "FusedBatchNormGradV3",
    "MaxPoolGrad",  # These three where XLA compiles them.
    "MaxPoolGradV2",
    "MaxPool3DGrad",
    "MaxPoolGradWithArgmax",
    "NonDeterministicInts",
    "ResizeNearestNeighborGrad",
    "ScatterAdd",  # All of these are of variables of TensorFlow 1.
    "ScatterDiv",
    "ScatterMax",
    "ScatterMin",
    "ScatterMul",
    "ScatterSub",
    "ScatterUpdate",
    "SoftmaxCrossEntropyWithLogits",
    "SparseSoftmaxCrossEntropyWithLogits",
    "SparseTensorDenseMatMul",
    "Svd",  # Of one column.
    "Timestamp",
}
# Those that raise unless they are given a seed; here, all noise is stateless.
RANDOM_WITHOUT_SEED = {
    "Multinomial",
    "ParameterizedTruncatedNormal",
    "RandomGamma",
    "RandomPoissonV2",
    "RandomShuffle",
    "RandomStandardNormal",
    "RandomUniform",
    "RandomUniformInt",
    "TruncatedNormal",
}
OPTIONS = [
    {},
    {"coupling": "mixlogcdf", "num_blocks": 3, "dropout_rate": 0.5},
    {"recompute_prior": True, "prior_channels_per_step": 2, "prior_start": "gaussian"},
    {"prior_network": "causal", "prior_num_layers": 1},
    {"prior_network": "causal", "prior_num_layers": 0, "prior_family": "logistic"},
    {"prior": "gaussian", "max_log_scale": 2.0, "prior_max_log_scale": 8.0},
    {"num_classes": 3},
    {"network_dtype": "bfloat16", "coupling": "mixlogcdf"},
    {"coupling": "residual"},
]


def operations_of(concrete_function):
    """The operations of a graph, and of all functions in it, by their names."""
    graph = concrete_function.graph.as_graph_def()
    nodes = [*graph.node, *(node for part in graph.library.function for node in part.node_def)]
    return {node.op for node in nodes}


def examples_of(distribution):
    pixels = random_pixels(4)
    return pixels if distribution.num_classes is None else (pixels, tf.constant([0, 1, 2, 0]))


def graphs(distribution):
    """Yields what trains, evaluates and samples: concrete functions."""
    trainer, examples = small_trainer(distribution), examples_of(distribution)
    for step in (trainer.train_step, trainer.test_step):
        yield tf.function(lambda step=step: step(examples), autograph=False).get_concrete_function()
    yield _scores_graph(distribution, 4, 2, "auto").get_concrete_function()
    yield SampleGraph(distribution, 4).function.get_concrete_function()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_no_operation_raises_on_gpus_where_operations_are_deterministic(options):
    distribution = small_distribution(**options)
    for graph in graphs(distribution):
        assert not operations_of(graph) & WITHOUT_DETERMINISTIC_KERNEL, graph.name
        assert not operations_of(graph) & RANDOM_WITHOUT_SEED, graph.name


def test_nor_one_of_learned_noise():
    for graph in graphs(variational_distribution()):
        assert not operations_of(graph) & WITHOUT_DETERMINISTIC_KERNEL, graph.name


def test_nor_one_of_an_interpolation():
    model = small_model(num_levels=1, coupling="mixlogcdf")
    latents = [tf.zeros([1, 2, *model.config.latent_shape(0)])]
    projection = LatentProjection(model, latents, *np.zeros([2, 1, 8, 8, 1], np.float32))
    best = tf.zeros([1, 2]), tuple(latents)
    graph = projection._step_graph.get_concrete_function(
        best, tf.zeros([1, 2]), [tf.constant(0.5)] * 3, "root_mean_square"
    )
    assert not operations_of(graph) & WITHOUT_DETERMINISTIC_KERNEL


def test_the_list_has_names_of_operations():
    for name in WITHOUT_DETERMINISTIC_KERNEL | RANDOM_WITHOUT_SEED:
        assert op_def_registry.get(name) is not None, name


def test_the_search_finds_operations_in_functions_and_gradients():
    @tf.function
    def run(values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            inner = tf.function(lambda part: tf.image.resize(part, [6, 6], "nearest"))
            value = inner(values)
        return tape.gradient(value, values)

    assert "ResizeNearestNeighborGrad" in operations_of(
        run.get_concrete_function(tf.zeros([1, 3, 3, 2]))
    )

"""The recurrence of a stack of convolutional LSTM layers, with a gradient written by hand.

For layer l and step t, with zeros for hidden and cell at t = -1 and * an element-wise product:

    (i, f, g, o) = conv(concat(h_(l-1, t), h_(l, t-1)), kernel_l) + bias_l,      h_(-1, t) = x_t
    c_(l, t) = sigmoid(f) * c_(l, t-1) + sigmoid(i) * tanh(g)
    h_(l, t) = sigmoid(o) * tanh(c_(l, t))

One loop runs all layers as a wavefront. The gradient keeps the gates and cells, runs the same
wavefront backwards, and takes the kernels' gradients over all steps at once, outside of the loop.
"""

import collections

import tensorflow as tf

from tf_marscf.kernels.conv_lstm_cell import conv_lstm_cell, conv_lstm_cell_gradient
from tf_marscf.kernels.recomputation import copies_after
from tf_marscf.kernels.wavefront import Wavefront

# What the gradient needs of one layer: tensors with one entry a step.
_Kept = collections.namedtuple("_Kept", ["hiddens", "cells", "gates"], defaults=[None] * 3)


def conv_lstm_recurrence(inputs, kernels, biases, convolution, recompute=False):
    """Runs all layers over all steps.

    Args:
        inputs: [T, ...], one map of C channels a step in the layout of `convolution`; T and C are
            static.
        kernels: one prepared kernel for each layer, from 2 C channels (what the layer reads, then
            its own hidden state) to 4 C, the pre-activations as `conv_lstm_cell` takes them.
        biases: [4 C] for each layer, likewise.
        convolution: a `DirectConvolution` or `SpectralConvolution`.
        recompute: Python `bool`. If True, nothing is kept for the gradient, which runs the
            recurrence once more: memory is free between the two passes.

    Returns:
        The last layer's hidden states, shaped as `inputs`. Differentiable to all tensors.
    """
    num_layers = len(kernels)

    @tf.custom_gradient
    def recurrence(inputs, *weights):
        layers = _run_forward(inputs, weights, convolution, keep=not recompute)

        def gradient(output_gradients):
            kept = layers
            if recompute:
                again = copies_after([inputs, *weights], output_gradients)
                kept = _run_forward(again[0], again[1:], convolution, keep=True)
            input_gradients, gates_gradients = _run_backward(
                output_gradients, kept, weights[:num_layers], convolution
            )
            return input_gradients, *_weight_gradients(inputs, kept, gates_gradients, convolution)

        return layers[-1].hiddens, gradient

    return recurrence(inputs, *kernels, *biases)


def _run_forward(inputs, weights, convolution, keep):
    """Returns a `_Kept` for each layer; without `keep`, only the last has anything: its hiddens."""
    num_layers, num_steps = len(weights) // 2, inputs.shape[0]
    kernels, axis = weights[:num_layers], convolution.channel_axis
    zeros = tf.zeros_like(inputs[0])
    biases = [convolution.prepare_bias(bias, zeros) for bias in weights[num_layers:]]

    def body(iteration, layers, is_first, state):
        before, arrays = state
        hiddens, cells = before
        for layer in layers:
            step = iteration - layer
            read = before[0][layer - 1] if layer else inputs[step]
            operand = tf.concat([read, before[0][layer]], axis=axis)
            gates = convolution.sigmoid(operand, kernels[layer], biases[layer])
            hidden, cell = conv_lstm_cell(gates, before[1][layer], axis)
            hiddens, cells = _replace(hiddens, layer, hidden), _replace(cells, layer, cell)
            written = tuple(
                # Of this order, no array, the first or all are kept.
                array.write(step, value)
                for array, value in zip(arrays[layer], (hidden, cell, gates), strict=False)
            )
            arrays = _replace(arrays, layer, written)
        return (hiddens, cells), arrays

    states = ((zeros,) * num_layers, (zeros,) * num_layers)
    likes = [zeros, zeros, _gates_like(zeros, axis)]
    num_kept = [3 if keep else 0] * (num_layers - 1) + [3 if keep else 1]
    arrays = tuple(
        tuple(_step_array(num_steps, like) for like in likes[:number]) for number in num_kept
    )
    _, arrays = Wavefront(num_layers, num_steps).run(body, (states, arrays))
    return [_Kept(*(array.stack() for array in layer)) for layer in arrays]


def _run_backward(output_gradients, kept, kernels, convolution):
    """Returns the gradients to the inputs, and to each layer's pre-activations."""
    num_layers, num_steps = len(kernels), output_gradients.shape[0]
    axis = convolution.channel_axis

    def body(iteration, layers, is_first, state):
        before, arrays, input_array = state
        hidden_gradients, cell_gradients, read_gradients = before
        for layer in layers:
            step = iteration - layer
            above = output_gradients[step] if layer == num_layers - 1 else before[2][layer + 1]
            cell = kept[layer].cells[step]
            gates_gradient, cell_gradient = conv_lstm_cell_gradient(
                before[0][layer] + above,
                before[1][layer],
                kept[layer].gates[step],
                tf.zeros_like(cell) if is_first(layer) else kept[layer].cells[step - 1],
                cell,
                axis,
            )
            operand_gradient = convolution.input_gradient(gates_gradient, kernels[layer])
            read_gradient, hidden_gradient = tf.split(operand_gradient, 2, axis=axis)
            if layer == 0:
                input_array = input_array.write(step, read_gradient)
            arrays = _replace(arrays, layer, arrays[layer].write(step, gates_gradient))
            read_gradients = _replace(read_gradients, layer, read_gradient)
            hidden_gradients = _replace(hidden_gradients, layer, hidden_gradient)
            cell_gradients = _replace(cell_gradients, layer, cell_gradient)
        return (hidden_gradients, cell_gradients, read_gradients), arrays, input_array

    zeros = tf.zeros_like(output_gradients[0])
    arrays = tuple(_step_array(num_steps, _gates_like(zeros, axis)) for _ in range(num_layers))
    state = (((zeros,) * num_layers,) * 3, arrays, _step_array(num_steps, zeros))
    _, arrays, input_array = Wavefront(num_layers, num_steps).run(body, state, backwards=True)
    return input_array.stack(), [array.stack() for array in arrays]


def _weight_gradients(inputs, kept, gates_gradients, convolution):
    """The gradients to the prepared kernels, then to the biases, in one list."""
    axis = convolution.channel_axis
    kernel_gradients, bias_gradients = [], []
    read = inputs
    for layer, gradients in zip(kept, gates_gradients, strict=True):
        before = tf.concat([tf.zeros_like(layer.hiddens[:1]), layer.hiddens[:-1]], axis=0)
        kernel_gradients.append(
            convolution.kernel_gradient(tf.concat([read, before], axis=axis), gradients)
        )
        bias_gradients.append(_sum_but(gradients, axis))
        read = layer.hiddens
    return [*kernel_gradients, *bias_gradients]


def _sum_but(values, axis):
    """The sum over all axes but one, given from the end."""
    behind = list(range(axis + 1, 0))
    # Two sums of neighbouring axes are many times faster than one over axes on both sides.
    values = tf.reduce_sum(values, axis=behind) if behind else values
    return tf.reduce_sum(values, axis=list(range(values.shape.rank - 1)))


def _replace(values, index, value):
    """A copy of a tuple with one entry changed."""
    return (*values[:index], value, *values[index + 1 :])


def _gates_like(maps, axis):
    """Maps of C channels -> maps of 4 C."""
    return tf.concat([maps] * 4, axis=axis)


def _step_array(num_steps, like):
    """A `TensorArray` for one tensor a step."""
    return tf.TensorArray(like.dtype, size=num_steps, element_shape=like.shape)

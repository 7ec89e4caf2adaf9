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

from tf_marscf.networks.conv_lstm_cell import (
    activated_gates,
    conv_lstm_cell,
    conv_lstm_cell_gradient,
)
from tf_marscf.networks.wavefront import Wavefront

# What the gradient needs of one layer: the four gates, hidden states and cells, [T, ..., C] each.
_Kept = collections.namedtuple("_Kept", ["gates", "hiddens", "cells"])
_NUM_GATES = 4


def conv_lstm_recurrence(inputs, kernels, biases, convolution, recompute=False):
    """Runs all layers over all steps.

    Args:
        inputs: [T, ..., C], one map a step in the layout of `convolution`; T and C are static.
        kernels: one prepared kernel for each layer, from 2 C channels (what the layer reads, then
            its own hidden state) to 4 C.
        biases: [4 C] for each layer.
        convolution: a `DirectConvolution` or `SpectralConvolution`.
        recompute: Python `bool`. If True, nothing is kept for the gradient, which runs the
            recurrence once more: less memory, more time.

    Returns:
        [T, ..., C], the last layer's hidden states. Differentiable to all tensors.
    """
    num_layers = len(kernels)

    @tf.custom_gradient
    def recurrence(inputs, *weights):
        layers = _run_forward(inputs, weights, convolution, keep=not recompute)

        def gradient(output_gradients):
            kept = layers
            if recompute:
                # Tensors that exist after the forward pass only: else TensorFlow, which merges
                # equal operations, could keep what the first pass has.
                with tf.control_dependencies([output_gradients]):
                    again = [tf.identity(tensor) for tensor in (inputs, *weights)]
                kept = _run_forward(again[0], again[1:], convolution, keep=True)
            input_gradients, gates_gradients = _run_backward(
                output_gradients, kept, weights[:num_layers], convolution
            )
            return input_gradients, *_weight_gradients(inputs, kept, gates_gradients, convolution)

        return layers[-1].hiddens, gradient

    return recurrence(inputs, *kernels, *biases)


def _run_forward(inputs, weights, convolution, keep):
    """Returns a `_Kept` for each layer; without `keep`, with the last one's hidden states only."""
    num_layers, num_steps = len(weights) // 2, inputs.shape[0]
    kernels, biases = weights[:num_layers], weights[num_layers:]

    def body(iteration, layers, is_first, state):
        before, arrays = state
        hiddens, cells = before
        for layer in layers:
            step = iteration - layer
            read = before[0][layer - 1] if layer else inputs[step]
            operand = tf.concat([read, before[0][layer]], axis=-1)
            gates = activated_gates(
                tf.nn.bias_add(convolution.apply(operand, kernels[layer]), biases[layer])
            )
            hidden, cell = conv_lstm_cell(gates, before[1][layer])
            hiddens, cells = _replace(hiddens, layer, hidden), _replace(cells, layer, cell)
            written = tuple(
                array.write(step, value)
                # Arrays come in the order hidden, cell, gates; not all need be there.
                for array, value in zip(arrays[layer], (hidden, cell, *gates), strict=False)
            )
            arrays = _replace(arrays, layer, written)
        return (hiddens, cells), arrays

    zeros = tf.zeros_like(inputs[0])
    states = ((zeros,) * num_layers, (zeros,) * num_layers)
    num_arrays = [2 + _NUM_GATES if keep else 0] * (num_layers - 1) + [
        2 + _NUM_GATES if keep else 1
    ]
    arrays = tuple(
        tuple(_step_array(num_steps, zeros) for _ in range(number)) for number in num_arrays
    )
    _, arrays = Wavefront(num_layers, num_steps).run(body, (states, arrays))
    stacked = [[array.stack() for array in layer] for layer in arrays]
    return [
        _Kept(
            gates=layer[2:], hiddens=layer[0] if layer else None, cells=layer[1] if keep else None
        )
        for layer in stacked
    ]


def _run_backward(output_gradients, kept, kernels, convolution):
    """Returns the gradients to the inputs, [T, ..., C], and to each layer's gates, [T, ..., 4 C]."""
    num_layers, num_steps = len(kernels), output_gradients.shape[0]

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
                [gate[step] for gate in kept[layer].gates],
                tf.zeros_like(cell) if is_first(layer) else kept[layer].cells[step - 1],
                cell,
            )
            operand_gradient = convolution.input_gradient(gates_gradient, kernels[layer])
            read_gradient, hidden_gradient = tf.split(operand_gradient, 2, axis=-1)
            if layer == 0:
                input_array = input_array.write(step, read_gradient)
            arrays = _replace(arrays, layer, arrays[layer].write(step, gates_gradient))
            read_gradients = _replace(read_gradients, layer, read_gradient)
            hidden_gradients = _replace(hidden_gradients, layer, hidden_gradient)
            cell_gradients = _replace(cell_gradients, layer, cell_gradient)
        return (hidden_gradients, cell_gradients, read_gradients), arrays, input_array

    zeros = tf.zeros_like(output_gradients[0])
    gates_like = tf.concat([zeros] * _NUM_GATES, axis=-1)
    arrays = tuple(_step_array(num_steps, gates_like) for _ in range(num_layers))
    state = (((zeros,) * num_layers,) * 3, arrays, _step_array(num_steps, zeros))
    _, arrays, input_array = Wavefront(num_layers, num_steps).run(body, state, backwards=True)
    return input_array.stack(), [array.stack() for array in arrays]


def _weight_gradients(inputs, kept, gates_gradients, convolution):
    """The gradients to the prepared kernels, then to the biases, in one list."""
    kernel_gradients, bias_gradients = [], []
    read = inputs
    for layer, gradients in zip(kept, gates_gradients, strict=True):
        before = tf.concat([tf.zeros_like(layer.hiddens[:1]), layer.hiddens[:-1]], axis=0)
        kernel_gradients.append(
            convolution.kernel_gradient(tf.concat([read, before], axis=-1), gradients)
        )
        bias_gradients.append(tf.reduce_sum(gradients, axis=list(range(gradients.shape.rank - 1))))
        read = layer.hiddens
    return [*kernel_gradients, *bias_gradients]


def _replace(values, index, value):
    """A copy of a tuple with one entry changed."""
    return (*values[:index], value, *values[index + 1 :])


def _step_array(num_steps, like):
    """A `TensorArray` for one tensor a step."""
    return tf.TensorArray(like.dtype, size=num_steps, element_shape=like.shape)

"""A stack of ConvLSTM layers over all steps, with a gradient written by hand.

For layer l and step t, with zeros for hidden and cell at t = -1 and * an element-wise product:

    (i, f, g, o) = conv(concat(h_(l-1, t), h_(l, t-1)), kernel_l) + bias_l,      h_(-1, t) = x_t
    c_(l, t) = sigmoid(f) * c_(l, t-1) + sigmoid(i) * tanh(g)
    h_(l, t) = sigmoid(o) * tanh(c_(l, t))

One loop runs all layers side by side: iteration s holds layer l at step s - l. What is in one
iteration is independent, so that TensorFlow computes the layers on several cores, and there are
T + L - 1 iterations instead of T * L. The gradient keeps gates and cells, runs the same iterations
backwards, and takes the kernels' gradients over all steps at once, outside of the loop.

All four gates go through one sigmoid, since tanh(g) = 2 sigmoid(2 g) - 1: TensorFlow computes it
in the epilogue of a matrix product. So weights of the candidate g are doubled.
"""

import collections

import tensorflow as tf

from tf_marscf.kernels.recomputation import copies_after

_GATE_FACTORS = (1.0, 1.0, 2.0, 1.0)  # Of i, f, g, o.

# What the gradient needs of one layer: tensors with one entry a step.
_Kept = collections.namedtuple("_Kept", ["hiddens", "cells", "gates"], defaults=[None] * 3)


def conv_lstm_recurrence(inputs, layers, convolution, recompute=False):
    """Runs all layers over all steps.

    Args:
        inputs: [T, N, H, W, C]; all but N are static.
        layers: `(input_kernel, recurrent_kernel, bias)` of each layer: two [k, k, C, 4 C] and
            [4 C], gates in the order i, f, g, o.
        convolution: as from `fastest_convolution`.
        recompute: Python `bool`. If True, nothing is kept for the gradient, which runs the
            recurrence once more: memory is free between the two passes.

    Returns:
        [T, N, H, W, C], the last layer's hidden states. Differentiable to all tensors.
    """
    num_layers = len(layers)

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

    kernels = prepared_kernels(layers, convolution)
    biases = [_with_gate_factors(bias) for *_, bias in layers]
    return convolution.to_images(recurrence(convolution.from_images(inputs), *kernels, *biases))


def prepared_kernels(layers, convolution):
    """One kernel for each layer, for input and hidden state side by side."""
    return [
        convolution.prepare(_with_gate_factors(tf.concat([input_kernel, recurrent_kernel], axis=2)))
        for input_kernel, recurrent_kernel, _ in layers
    ]


def prepared_biases(layers, convolution, maps):
    """One bias for each layer, for maps like these."""
    return [convolution.prepare_bias(_with_gate_factors(bias), maps) for *_, bias in layers]


def conv_lstm_step(maps, states, kernels, biases, convolution):
    """One step of all layers.

    Args:
        maps: x_t, in the layout of `convolution`.
        states: `(hidden, cell)` of each layer after the step before, a tuple.
        kernels: as from `prepared_kernels`.
        biases: as from `prepared_biases`.
        convolution: a `StepConvolution`.

    Returns:
        `(outputs, states)`: the last layer's hidden state, and the states after the step.
    """
    next_states = []
    for (hidden, cell), kernel, bias in zip(states, kernels, biases, strict=True):
        _, maps, cell = _layer_step(maps, hidden, cell, kernel, bias, convolution)
        next_states.append((maps, cell))
    return maps, tuple(next_states)


def _layer_step(maps, hidden, cell, kernel, bias, convolution):
    """One step of one layer: `(gates, hidden, cell)`, the gates as sigmoids of i, f, 2 g and o."""
    axis = convolution.channel_axis
    gates = convolution.sigmoid(tf.concat([maps, hidden], axis=axis), kernel, bias)
    input_gate, forget_gate, candidate, output_gate = tf.split(gates, 4, axis=axis)
    cell = forget_gate * cell + input_gate * (2.0 * candidate - 1.0)
    return gates, output_gate * tf.tanh(cell), cell


def _layer_step_gradient(hidden_gradient, cell_gradient, gates, previous_cell, cell, axis):
    """The gradients to what the sigmoids were taken of, and to the cell before the step.

    `cell_gradient` is what comes from the steps after this one alone.
    """
    input_gate, forget_gate, candidate, output_gate = tf.split(gates, 4, axis=axis)
    cell_tanh = tf.tanh(cell)
    cell_gradient += hidden_gradient * output_gate * (1.0 - tf.square(cell_tanh))
    gates_gradient = tf.concat(
        [
            cell_gradient * (2.0 * candidate - 1.0),
            cell_gradient * previous_cell,
            2.0 * cell_gradient * input_gate,
            hidden_gradient * cell_tanh,
        ],
        axis=axis,
    )
    return gates_gradient * gates * (1.0 - gates), cell_gradient * forget_gate


def _run_forward(inputs, weights, convolution, keep):
    """Returns a `_Kept` for each layer; without `keep`, only the last has anything: its hiddens."""
    num_layers, num_steps = len(weights) // 2, inputs.shape[0]
    kernels, axis = weights[:num_layers], convolution.channel_axis
    zeros = tf.zeros_like(inputs[0])
    biases = [convolution.prepare_bias(bias, zeros) for bias in weights[num_layers:]]

    def body(iteration, layers, state):
        hiddens, cells, arrays = (list(part) for part in state)
        read = [None, *hiddens]
        for layer in layers:
            step = iteration - layer
            gates, hiddens[layer], cells[layer] = _layer_step(
                read[layer] if layer else inputs[step],
                hiddens[layer],
                cells[layer],
                kernels[layer],
                biases[layer],
                convolution,
            )
            values = (hiddens[layer], cells[layer], gates)
            arrays[layer] = [
                # Of this order, no array, the first or all are kept.
                array.write(step, value)
                for array, value in zip(arrays[layer], values, strict=False)
            ]
        return hiddens, cells, arrays

    likes = [zeros, zeros, _gates_like(zeros, axis)]
    num_kept = [3 if keep else 0] * (num_layers - 1) + [3 if keep else 1]
    arrays = [[_step_array(num_steps, like) for like in likes[:number]] for number in num_kept]
    state = ([zeros] * num_layers, [zeros] * num_layers, arrays)
    *_, arrays = _run_side_by_side(body, state, num_layers, num_steps)
    return [_Kept(*(array.stack() for array in layer)) for layer in arrays]


def _run_backward(output_gradients, kept, kernels, convolution):
    """Returns the gradients to the inputs, and to each layer's pre-activations."""
    num_layers, num_steps = len(kernels), output_gradients.shape[0]
    axis = convolution.channel_axis
    zeros = tf.zeros_like(output_gradients[0])

    def body(iteration, layers, state):
        hidden_gradients, cell_gradients, read_gradients, arrays, inputs = map(list, state)
        from_above = [*read_gradients[1:], None]
        for layer in layers:
            step = iteration - layer
            is_first = not tf.is_tensor(step) and step == 0  # Inside of the loop, none is.
            above = output_gradients[step] if layer == num_layers - 1 else from_above[layer]
            gates_gradient, cell_gradients[layer] = _layer_step_gradient(
                hidden_gradients[layer] + above,
                cell_gradients[layer],
                kept[layer].gates[step],
                zeros if is_first else kept[layer].cells[step - 1],
                kept[layer].cells[step],
                axis,
            )
            operand_gradient = convolution.input_gradient(gates_gradient, kernels[layer])
            read_gradients[layer], hidden_gradients[layer] = tf.split(
                operand_gradient, 2, axis=axis
            )
            arrays[layer] = arrays[layer].write(step, gates_gradient)
            if layer == 0:
                inputs = [inputs[0].write(step, read_gradients[layer])]
        return hidden_gradients, cell_gradients, read_gradients, arrays, inputs

    arrays = [_step_array(num_steps, _gates_like(zeros, axis)) for _ in range(num_layers)]
    state = (*([zeros] * num_layers for _ in range(3)), arrays, [_step_array(num_steps, zeros)])
    *_, arrays, (inputs,) = _run_side_by_side(body, state, num_layers, num_steps, backwards=True)
    return inputs.stack(), [array.stack() for array in arrays]


def _run_side_by_side(body, state, num_layers, num_steps, backwards=False):
    """Runs `state = body(iteration, layers, state)`: iteration s holds layer l at step s - l.

    Those in which all layers are past their first step run in a `tf.while_loop`; the few before and
    after are unrolled, and their iteration is a Python `int`.
    """
    iterations = range(num_steps + num_layers - 1)
    looped = range(num_layers, num_steps)
    before, after = iterations[:num_layers], iterations[num_steps:]
    if not looped:
        before, after = iterations, []
    if backwards:
        before, after = reversed(after), reversed(before)

    def run_unrolled(unrolled, state):
        for iteration in unrolled:
            layers = [layer for layer in range(num_layers) if 0 <= iteration - layer < num_steps]
            state = body(iteration, layers, state)
        return state

    state = run_unrolled(before, state)
    if looped:
        _, state = tf.while_loop(
            lambda iteration, _: (looped.start <= iteration) & (iteration < looped.stop),
            lambda iteration, state: (
                iteration + (-1 if backwards else 1),
                body(iteration, range(num_layers), state),
            ),
            (tf.constant(looped[-1 if backwards else 0]), state),
            maximum_iterations=len(looped),
        )
    return run_unrolled(after, state)


def _weight_gradients(inputs, kept, gates_gradients, convolution):
    """The gradients to the prepared kernels, then to the biases, in one list."""
    axis = convolution.channel_axis
    kernel_gradients, bias_gradients = [], []
    read = inputs
    for layer, gradients in zip(kept, gates_gradients, strict=True):
        previous = tf.concat([tf.zeros_like(layer.hiddens[:1]), layer.hiddens[:-1]], axis=0)
        kernel_gradients.append(
            convolution.kernel_gradient(tf.concat([read, previous], axis=axis), gradients)
        )
        bias_gradients.append(_sum_over_all_axes_but(axis, gradients))
        read = layer.hiddens
    return [*kernel_gradients, *bias_gradients]


def _sum_over_all_axes_but(axis, values):
    """`axis` counts from the end."""
    later = list(range(axis + 1, 0))
    # Two sums of neighbouring axes are many times faster than one over axes on both sides.
    values = tf.reduce_sum(values, axis=later) if later else values
    return tf.reduce_sum(values, axis=list(range(values.shape.rank - 1)))


def _with_gate_factors(weights):
    """Weights [..., 4 C] with those of the candidate doubled."""
    factors = tf.constant(_GATE_FACTORS, weights.dtype)
    return weights * tf.repeat(factors, weights.shape[-1] // len(_GATE_FACTORS))


def _gates_like(maps, axis):
    """Maps of C channels -> maps of 4 C."""
    return tf.concat([maps] * 4, axis=axis)


def _step_array(num_steps, like):
    """A `TensorArray` for one tensor a step."""
    return tf.TensorArray(like.dtype, size=num_steps, element_shape=like.shape)

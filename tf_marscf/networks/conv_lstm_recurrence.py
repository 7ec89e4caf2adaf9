"""The recurrence of a convolutional LSTM, with a gradient written by hand.

Forward, for t = 0 ... T - 1, with h_(-1) = c_(-1) = 0 and * an element-wise product:

    (i, f, g, o) = input_gates_t + conv(h_(t-1), kernel)
    c_t = sigmoid(f) * c_(t-1) + sigmoid(i) * tanh(g)
    h_t = sigmoid(o) * tanh(c_t)

Automatic differentiation of the loop computes the kernel's gradient step by step. Here the backward
loop runs only what is recurrent, and the kernel's gradient is one convolution over all steps.
"""

import tensorflow as tf

from tf_marscf.networks import convolution


def conv_lstm_cell(gates, cell):
    """One step of a ConvLSTM.

    Args:
        gates: [..., 4 C], the pre-activations in the order i, f, g, o.
        cell: [..., C], c_(t-1); None stands for zeros.

    Returns:
        `(hidden, cell, activations)`: h_t and c_t [..., C]; the gates' activations [..., 4 C].
    """
    input_gate, forget_gate, candidate, output_gate = tf.split(gates, 4, axis=-1)
    input_gate = tf.sigmoid(input_gate)
    forget_gate = tf.sigmoid(forget_gate)
    candidate = tf.tanh(candidate)
    output_gate = tf.sigmoid(output_gate)
    cell = input_gate * candidate + (0.0 if cell is None else forget_gate * cell)
    activations = tf.concat([input_gate, forget_gate, candidate, output_gate], axis=-1)
    return output_gate * tf.tanh(cell), cell, activations


def _cell_gradient(hidden_gradient, cell_gradient, activations, previous_cell, cell):
    """The gradient of `conv_lstm_cell` to its gates and to the previous cell."""
    input_gate, forget_gate, candidate, output_gate = tf.split(activations, 4, axis=-1)
    cell_tanh = tf.tanh(cell)
    cell_gradient += hidden_gradient * output_gate * (1.0 - tf.square(cell_tanh))
    gates_gradient = tf.concat(
        [
            cell_gradient * candidate * input_gate * (1.0 - input_gate),
            cell_gradient * previous_cell * forget_gate * (1.0 - forget_gate),
            cell_gradient * input_gate * (1.0 - tf.square(candidate)),
            hidden_gradient * cell_tanh * output_gate * (1.0 - output_gate),
        ],
        axis=-1,
    )
    return gates_gradient, cell_gradient * forget_gate


def _fold_steps(sequence):
    """[T, N, H, W, C] -> [T * N, H, W, C]."""
    return tf.reshape(sequence, tf.concat([[-1], tf.shape(sequence)[2:]], axis=0))


def _step_array(num_steps, like):
    """A `TensorArray` for one tensor a step."""
    return tf.TensorArray(like.dtype, size=num_steps, element_shape=like.shape)


def _run_forward(input_gates, kernel, dilation):
    """Returns all h_t, c_t and gate activations, each stacked along the steps."""
    num_steps = input_gates.shape[0]
    hidden, cell, activations = conv_lstm_cell(input_gates[0], None)

    def body(step, hidden, cell, hidden_array, cell_array, activation_array):
        gates = input_gates[step] + convolution.convolve(hidden, kernel, dilation)
        hidden, cell, activations = conv_lstm_cell(gates, cell)
        return (
            step + 1,
            hidden,
            cell,
            hidden_array.write(step, hidden),
            cell_array.write(step, cell),
            activation_array.write(step, activations),
        )

    _, _, _, *arrays = tf.while_loop(
        lambda step, *_: step < num_steps,
        body,
        (
            tf.constant(1),
            hidden,
            cell,
            _step_array(num_steps, hidden).write(0, hidden),
            _step_array(num_steps, cell).write(0, cell),
            _step_array(num_steps, activations).write(0, activations),
        ),
        maximum_iterations=num_steps - 1,
    )
    return [array.stack() for array in arrays]


def _run_backward(hidden_gradients, cells, activations, kernel, dilation):
    """Returns the gradient to the gates' pre-activations, [T, N, H, W, 4 C]."""
    num_steps = cells.shape[0]
    input_kernel = convolution.transposed_kernel(kernel)

    def step_gradient(step, recurrent_gradient, cell_gradient, previous_cell):
        return _cell_gradient(
            hidden_gradients[step] + recurrent_gradient,
            cell_gradient,
            activations[step],
            previous_cell,
            cells[step],
        )

    def body(step, recurrent_gradient, cell_gradient, gradient_array):
        gates_gradient, cell_gradient = step_gradient(
            step, recurrent_gradient, cell_gradient, cells[step - 1]
        )
        recurrent_gradient = convolution.convolve(gates_gradient, input_kernel, dilation)
        gradient_array = gradient_array.write(step, gates_gradient)
        return step - 1, recurrent_gradient, cell_gradient, gradient_array

    zeros = tf.zeros_like(cells[0])
    _, recurrent_gradient, cell_gradient, gradient_array = tf.while_loop(
        lambda step, *_: step > 0,
        body,
        (tf.constant(num_steps - 1), zeros, zeros, _step_array(num_steps, activations[0])),
        maximum_iterations=num_steps - 1,
    )
    # The first step stands alone: its cell was zero, and nothing before it needs a gradient.
    first_gradient, _ = step_gradient(0, recurrent_gradient, cell_gradient, zeros)
    return gradient_array.write(0, first_gradient).stack()


def conv_lstm_recurrence(input_gates, kernel, dilation=1):
    """Runs the recurrence over all steps.

    Args:
        input_gates: [T, N, H, W, 4 C], the part of the pre-activations that comes from the layer's
            input, biases included. T, H, W and C are known statically.
        kernel: [k, k, C, 4 C], k odd.
        dilation: Python `int` >= 1.

    Returns:
        [T, N, H, W, C], all h_t. Differentiable to both arguments.
    """

    @tf.custom_gradient
    def recurrence(input_gates, kernel):
        hiddens, cells, activations = _run_forward(input_gates, kernel, dilation)

        def gradient(hidden_gradients):
            gates_gradients = _run_backward(hidden_gradients, cells, activations, kernel, dilation)
            if input_gates.shape[0] == 1:
                return gates_gradients, tf.zeros_like(kernel)
            kernel_gradient = convolution.kernel_gradient(
                _fold_steps(hiddens[:-1]), _fold_steps(gates_gradients[1:]), kernel.shape, dilation
            )
            return gates_gradients, kernel_gradient

        return hiddens, gradient

    return recurrence(input_gates, kernel)

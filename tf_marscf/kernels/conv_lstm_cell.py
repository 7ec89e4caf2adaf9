"""One step of a ConvLSTM, and its gradient.

    c' = sigmoid(f) * c + sigmoid(i) * tanh(g),      h = sigmoid(o) * tanh(c')

All four gates go through one sigmoid, since tanh(g) = 2 sigmoid(2 g) - 1: TensorFlow computes it in
the epilogue of a matrix product. So the pre-activation of the candidate has to come doubled.
"""

import tensorflow as tf

# Factors of the pre-activations i, f, g, o.
GATE_FACTORS = (1.0, 1.0, 2.0, 1.0)


def conv_lstm_cell(gates, cell, axis=-1):
    """The states after a step.

    Args:
        gates: [..., 4 C], the sigmoids of i, f, 2 g and o.
        cell: [..., C], the cell of the step before.
        axis: of the channels in both, if it is not the last.

    Returns:
        `(hidden, cell)`, [..., C] each.
    """
    input_gate, forget_gate, candidate, output_gate = tf.split(gates, 4, axis=axis)
    cell = forget_gate * cell + input_gate * (2.0 * candidate - 1.0)
    return output_gate * tf.tanh(cell), cell


def conv_lstm_cell_gradient(hidden_gradient, cell_gradient, gates, previous_cell, cell, axis=-1):
    """The gradient of a step.

    Args:
        hidden_gradient: to the hidden state after the step, [..., C].
        cell_gradient: to the cell after the step, from the steps behind it.
        gates: as of `conv_lstm_cell`.
        previous_cell: the cell before the step.
        cell: the cell after it.
        axis: of the channels.

    Returns:
        `(pre_activations_gradient, previous_cell_gradient)`, [..., 4 C] and [..., C]: to what the
        sigmoids were taken of, and to the cell before.
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

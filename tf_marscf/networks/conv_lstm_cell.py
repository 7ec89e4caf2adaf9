"""One step of a ConvLSTM, and its gradient.

c' = sigmoid(f) * c + sigmoid(i) * tanh(g),      h = sigmoid(o) * tanh(c')
"""

import tensorflow as tf


def activated_gates(pre_activations):
    """[..., 4 C] in the order i, f, g, o -> input, forget, candidate, output gate, [..., C] each."""
    input_gate, forget_gate, candidate, output_gate = tf.split(pre_activations, 4, axis=-1)
    return (
        tf.sigmoid(input_gate),
        tf.sigmoid(forget_gate),
        tf.tanh(candidate),
        tf.sigmoid(output_gate),
    )


def conv_lstm_cell(gates, cell):
    """The states after a step.

    Args:
        gates: as from `activated_gates`.
        cell: [..., C], the cell of the step before; None stands for zeros.

    Returns:
        `(hidden, cell)`, [..., C] each.
    """
    input_gate, forget_gate, candidate, output_gate = gates
    candidate = input_gate * candidate
    cell = candidate if cell is None else forget_gate * cell + candidate
    return output_gate * tf.tanh(cell), cell


def conv_lstm_cell_gradient(hidden_gradient, cell_gradient, gates, previous_cell, cell):
    """The gradient of a step to its pre-activations and to the cell before.

    Args:
        hidden_gradient: to the hidden state after the step, [..., C].
        cell_gradient: to the cell after the step, from the steps behind it.
        gates: as from `activated_gates`.
        previous_cell: the cell before the step.
        cell: the cell after it.

    Returns:
        `(pre_activations_gradient, previous_cell_gradient)`, [..., 4 C] and [..., C].
    """
    input_gate, forget_gate, candidate, output_gate = gates
    cell_tanh = tf.tanh(cell)
    output_part = hidden_gradient * output_gate
    cell_gradient += output_part * (1.0 - tf.square(cell_tanh))
    input_part = cell_gradient * input_gate
    carried = cell_gradient * forget_gate
    pre_activations_gradient = tf.concat(
        [
            input_part * candidate * (1.0 - input_gate),
            carried * previous_cell * (1.0 - forget_gate),
            input_part * (1.0 - tf.square(candidate)),
            output_part * cell_tanh * (1.0 - output_gate),
        ],
        axis=-1,
    )
    return pre_activations_gradient, carried

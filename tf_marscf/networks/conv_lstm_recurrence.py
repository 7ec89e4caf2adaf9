"""The recurrence of a stack of convolutional LSTM layers, with a gradient written by hand.

For layer l and step t, with zeros for hidden and cell at t = -1 and * an element-wise product:

    (i, f, g, o) = conv(concat(h_(l-1, t), h_(l, t-1)), kernel_l) + bias_l
    c_(l, t) = sigmoid(f) * c_(l, t-1) + sigmoid(i) * tanh(g)
    h_(l, t) = sigmoid(o) * tanh(c_(l, t))

The first layer's input part does not depend on the recurrence and is given. One loop runs all
layers as a wavefront: its iteration s holds layer l at step t = s - l. What is in one iteration is
independent, so TensorFlow computes the layers on several cores, and there are T + L - 1 iterations
instead of T * L. The gradient runs the same wavefront backwards, and takes the kernels' gradients
as one convolution each over all steps, outside of the loop.
"""

import tensorflow as tf

from tf_marscf.networks.convolution import convolve, kernel_gradient, transposed_kernel


def conv_lstm_cell(gates, cell):
    """One step of a ConvLSTM.

    Args:
        gates: [..., 4 C], the pre-activations in the order i, f, g, o.
        cell: [..., C], the cell of the step before; None stands for zeros.

    Returns:
        `(hidden, cell)`, [..., C] each.
    """
    input_gate, forget_gate, candidate, output_gate = tf.split(gates, 4, axis=-1)
    candidate = tf.sigmoid(input_gate) * tf.tanh(candidate)
    cell = candidate if cell is None else tf.sigmoid(forget_gate) * cell + candidate
    return tf.sigmoid(output_gate) * tf.tanh(cell), cell


def _cell_gradient(hidden_gradient, cell_gradient, gates, previous_cell, cell):
    """The gradient of `conv_lstm_cell` to its gates and to the previous cell (None: zeros)."""
    input_gate, forget_gate, candidate, output_gate = tf.split(gates, 4, axis=-1)
    input_gate, forget_gate = tf.sigmoid(input_gate), tf.sigmoid(forget_gate)
    candidate, output_gate = tf.tanh(candidate), tf.sigmoid(output_gate)
    cell_tanh = tf.tanh(cell)
    output_part = hidden_gradient * output_gate
    cell_gradient = cell_gradient + output_part * (1.0 - tf.square(cell_tanh))
    input_part = cell_gradient * input_gate
    carried = cell_gradient * forget_gate
    if previous_cell is None:
        forget_gradient = tf.zeros_like(cell)
    else:
        forget_gradient = carried * previous_cell * (1.0 - forget_gate)
    gates_gradient = tf.concat(
        [
            input_part * candidate * (1.0 - input_gate),
            forget_gradient,
            input_part * (1.0 - tf.square(candidate)),
            output_part * cell_tanh * (1.0 - output_gate),
        ],
        axis=-1,
    )
    return gates_gradient, carried


class _Wavefront:
    """Which layers an iteration holds, and the loop over iterations.

    All layers are inside their range at iterations L ... T - 1, and past their first step: those
    run in a `tf.while_loop`; the few before and after are unrolled.
    """

    def __init__(self, num_layers, num_steps):
        self._num_layers = num_layers
        self._num_steps = num_steps

    def _layers(self, iteration):
        return [
            layer for layer in range(self._num_layers) if 0 <= iteration - layer < self._num_steps
        ]

    def run(self, body, state, backwards=False):
        """Runs `state = body(iteration, layers, is_first, state)` over all iterations.

        `is_first(layer)` says, statically, whether the layer is at its first step.
        """
        num_layers, num_steps = self._num_layers, self._num_steps
        iterations = list(range(num_steps + num_layers - 1))
        looped = range(num_layers, num_steps)
        before = [s for s in iterations if s < num_layers or not looped]
        after = [s for s in iterations if s >= num_steps and s not in before]
        if backwards:
            before, after = after[::-1], before[::-1]
        state = self._unrolled(body, before, state)
        if looped:
            state = self._loop(body, looped, state, backwards)
        return self._unrolled(body, after, state)

    def _unrolled(self, body, iterations, state):
        for iteration in iterations:

            def is_first(layer, iteration=iteration):
                return layer == iteration

            state = body(iteration, self._layers(iteration), is_first, state)
        return state

    def _loop(self, body, looped, state, backwards):
        every_layer = list(range(self._num_layers))
        increment = -1 if backwards else 1

        def loop_body(iteration, state):
            state = body(iteration, every_layer, lambda layer: False, state)
            return iteration + increment, state

        def condition(iteration, state):
            return iteration >= looped.start if backwards else iteration < looped.stop

        start = looped.stop - 1 if backwards else looped.start
        _, state = tf.while_loop(
            condition, loop_body, (tf.constant(start), state), maximum_iterations=len(looped)
        )
        return state


def _replace(values, index, value):
    """A copy of a tuple with one entry changed."""
    return (*values[:index], value, *values[index + 1 :])


def _run_forward(input_gates, kernels, biases, dilation):
    """Returns gates, hiddens and cells: for each layer one tensor [T, ...]."""
    num_layers, num_steps = len(kernels), input_gates.shape[0]
    channels = input_gates.shape[-1] // 4
    # Each layer's pre-activations at a first step need the input's half of the kernel only.
    input_kernels = [None] + [kernel[:, :, :channels] for kernel in kernels[1:]]

    def gates_of(layer, step, is_first, hiddens):
        if layer == 0:
            gates = input_gates[step]
            return gates if is_first else gates + convolve(hiddens[0], kernels[0], dilation)
        if is_first:
            gates = convolve(hiddens[layer - 1], input_kernels[layer], dilation)
        else:
            inputs = tf.concat([hiddens[layer - 1], hiddens[layer]], axis=-1)
            gates = convolve(inputs, kernels[layer], dilation)
        return tf.nn.bias_add(gates, biases[layer - 1])

    def body(iteration, layers, is_first, state):
        before, arrays = state
        hiddens, cells = before
        for layer in layers:
            step = iteration - layer
            gates = gates_of(layer, step, is_first(layer), before[0])
            hidden, cell = conv_lstm_cell(gates, None if is_first(layer) else before[1][layer])
            hiddens, cells = _replace(hiddens, layer, hidden), _replace(cells, layer, cell)
            written = tuple(
                array.write(step, value)
                for array, value in zip(arrays[layer], (gates, hidden, cell), strict=True)
            )
            arrays = _replace(arrays, layer, written)
        return (hiddens, cells), arrays

    zeros = tf.zeros_like(input_gates[0, ..., :channels])
    states = ((zeros,) * num_layers, (zeros,) * num_layers)
    arrays = tuple(
        tuple(_step_array(num_steps, like) for like in (input_gates[0], zeros, zeros))
        for _ in range(num_layers)
    )
    _, arrays = _Wavefront(num_layers, num_steps).run(body, (states, arrays))
    return tuple(zip(*([array.stack() for array in layer] for layer in arrays), strict=True))


def _run_backward(output_gradients, gates, cells, kernels, dilation):
    """Returns the gradients to each layer's gates, [T, ..., 4 C]."""
    num_layers, num_steps = len(kernels), output_gradients.shape[0]
    channels = output_gradients.shape[-1]
    # From a layer's gates to what it read: its input and, behind it, its own hidden state.
    transposed = [transposed_kernel(kernel) for kernel in kernels]
    transposed_inputs = [None] + [kernel[..., :channels] for kernel in transposed[1:]]

    def body(iteration, layers, is_first, state):
        before, arrays = state
        hidden_gradients, cell_gradients, input_gradients = before
        for layer in layers:
            step = iteration - layer
            above = output_gradients[step] if layer == num_layers - 1 else before[2][layer + 1]
            first = is_first(layer)
            gates_gradient, cell_gradient = _cell_gradient(
                before[0][layer] + above,
                before[1][layer],
                gates[layer][step],
                None if first else cells[layer][step - 1],
                cells[layer][step],
            )
            arrays = _replace(arrays, layer, arrays[layer].write(step, gates_gradient))
            if first:
                if layer > 0:
                    input_gradient = convolve(gates_gradient, transposed_inputs[layer], dilation)
                    input_gradients = _replace(input_gradients, layer, input_gradient)
                continue
            read_gradient = convolve(gates_gradient, transposed[layer], dilation)
            if layer > 0:
                input_gradient, read_gradient = tf.split(read_gradient, 2, axis=-1)
                input_gradients = _replace(input_gradients, layer, input_gradient)
            hidden_gradients = _replace(hidden_gradients, layer, read_gradient)
            cell_gradients = _replace(cell_gradients, layer, cell_gradient)
        return (hidden_gradients, cell_gradients, input_gradients), arrays

    zeros = (tf.zeros_like(output_gradients[0]),) * num_layers
    arrays = tuple(_step_array(num_steps, layer_gates[0]) for layer_gates in gates)
    _, arrays = _Wavefront(num_layers, num_steps).run(
        body, ((zeros, zeros, zeros), arrays), backwards=True
    )
    return [array.stack() for array in arrays]


def _step_array(num_steps, like):
    """A `TensorArray` for one tensor a step."""
    return tf.TensorArray(like.dtype, size=num_steps, element_shape=like.shape)


def _fold_steps(sequence):
    """[T, N, H, W, C] -> [T * N, H, W, C]."""
    return tf.reshape(sequence, [-1, *sequence.shape[2:]])


def _kernel_gradient(inputs, hiddens, gates_gradients, kernel, dilation):
    """The gradient to a layer's kernel, from all steps; `inputs` None: the first layer."""
    num_steps, channels = hiddens.shape[0], hiddens.shape[-1]
    shape = [*kernel.shape[:2], channels, kernel.shape[-1]]
    parts = []
    if inputs is not None:
        parts.append(
            kernel_gradient(_fold_steps(inputs), _fold_steps(gates_gradients), shape, dilation)
        )
    if num_steps > 1:
        folded = _fold_steps(hiddens[:-1]), _fold_steps(gates_gradients[1:])
        parts.append(kernel_gradient(*folded, shape, dilation))
    else:
        parts.append(tf.zeros(shape, kernel.dtype))
    return tf.concat(parts, axis=2)


def conv_lstm_recurrence(input_gates, kernels, biases, dilation=1):
    """Runs all layers over all steps.

    Args:
        input_gates: [T, N, H, W, 4 C], the part of the first layer's pre-activations that comes
            from its input, with its bias. All but N known statically.
        kernels: for the first layer [k, k, C, 4 C], for hidden states only; for each further layer
            [k, k, 2 C, 4 C], for input and hidden state side by side. k is odd.
        biases: [4 C] for each layer but the first.
        dilation: Python `int` >= 1.

    Returns:
        [T, N, H, W, C], the last layer's hidden states. Differentiable to all tensors.
    """
    num_layers = len(kernels)

    @tf.custom_gradient
    def recurrence(input_gates, *weights):
        kernels, biases = weights[:num_layers], weights[num_layers:]
        gates, hiddens, cells = _run_forward(input_gates, kernels, biases, dilation)

        def gradient(output_gradients):
            gates_gradients = _run_backward(output_gradients, gates, cells, kernels, dilation)
            kernel_gradients = [
                _kernel_gradient(
                    hiddens[layer - 1] if layer else None,
                    hiddens[layer],
                    gates_gradients[layer],
                    kernel,
                    dilation,
                )
                for layer, kernel in enumerate(kernels)
            ]
            bias_gradients = [
                tf.reduce_sum(gates_gradient, axis=[0, 1, 2, 3])
                for gates_gradient in gates_gradients[1:]
            ]
            return gates_gradients[0], *kernel_gradients, *bias_gradients

        return hiddens[-1], gradient

    return recurrence(input_gates, *kernels, *biases)

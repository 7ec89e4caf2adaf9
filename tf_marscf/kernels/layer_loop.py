"""A loop over layers of one kind, which is traced once.

x_(n + 1) = function(x_n, [w[n] for w in stacks], seeds[n]),    n = 0 ... num_layers - 1
"""

import tensorflow as tf

from tf_marscf.kernels.recomputation import copies_behind


def layer_loop(function, maps, stacks, seeds=None):
    """Runs all layers, with TensorFlow's gradient, which keeps what the layers computed.

    Args:
        function: from maps, a list of weights and a seed (or None) to the next maps.
        maps: x_0. All x_n have its static shape.
        stacks: list of tensors, [num_layers, ...], one a weight.
        seeds: [num_layers, 2] integer tensor, or None.

    Returns:
        The last maps.
    """
    # The gradient of a tensor in a loop is a sum of whole tensors, that of an array is an array.
    arrays = [_array_of_layers(stack.shape, stack.dtype).unstack(stack) for stack in stacks]

    def body(index, maps):
        weights = [array.read(index) for array in arrays]
        following = function(maps, weights, _entry(seeds, index))
        return index + 1, tf.ensure_shape(following, maps.shape)

    return _run(body, stacks[0].shape[0], (tf.constant(0), maps))[1]


def recomputed_layer_loop(function, maps, stacks, seeds=None):
    """As `layer_loop`, but of each layer only its maps are kept; the gradient runs it once more."""
    num_layers = stacks[0].shape[0]

    @tf.custom_gradient
    def run(maps, *stacks):
        def run_layer(index, maps, weights):
            return tf.ensure_shape(function(maps, weights, _entry(seeds, index)), maps.shape)

        def body(index, maps, inputs):
            following = run_layer(index, maps, [stack[index] for stack in stacks])
            return index + 1, following, inputs.write(index, maps)

        def gradient(output_gradient):
            arrays = [_array_of_layers(stack.shape, stack.dtype) for stack in stacks]

            def body(index, gradient, arrays):
                weights = [stack[index] for stack in stacks]
                # Only once it is needed: TensorFlow would run all layers again at the same time.
                (layer_input,) = copies_behind([inputs[index]], gradient)
                with tf.GradientTape() as tape:
                    tape.watch([layer_input, weights])
                    output = run_layer(index, layer_input, weights)
                gradient, weight_gradients = tape.gradient(
                    output, (layer_input, weights), gradient, unconnected_gradients="zero"
                )
                arrays = [
                    array.write(index, weight_gradient)
                    for array, weight_gradient in zip(arrays, weight_gradients, strict=True)
                ]
                return index - 1, gradient, arrays

            state = (tf.constant(num_layers - 1), output_gradient, arrays)
            _, gradient, arrays = _run(body, num_layers, state)
            return gradient, *(array.stack() for array in arrays)

        inputs = _array_of_layers((num_layers, *maps.shape), maps.dtype)
        _, outputs, inputs = _run(body, num_layers, (tf.constant(0), maps, inputs))
        inputs = inputs.stack()
        return outputs, gradient

    return run(maps, *stacks)


def _run(body, num_layers, state):
    return tf.while_loop(
        lambda index, *_: (index >= 0) & (index < num_layers),
        body,
        state,
        maximum_iterations=num_layers,
    )


def _entry(seeds, index):
    return None if seeds is None else seeds[index]


def _array_of_layers(shape, dtype):
    """A `TensorArray` for the entries of a tensor of this shape along its first axis."""
    return tf.TensorArray(dtype, size=shape[0], element_shape=shape[1:])

"""A loop over layers of one kind, which is traced once.

x_(n + 1) = function(x_n, [w[n] for w in stacks], seeds[n]),    n = 0 ... num_layers - 1
"""

import tensorflow as tf

from tf_marscf.kernels.recomputation import copies_behind


def layer_loop(function, maps, stacks, seeds=None):
    """Runs all layers, with TensorFlow's gradient, which keeps what the layers computed.

    Args:
        function: from maps, a list of weights and a seed (or None) to the next maps.
        maps: a tensor or a list of tensors, x_0. All x_n have its static shapes.
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
        return index + 1, _with_shapes_of(maps, following)

    return _run(body, stacks[0].shape[0], (tf.constant(0), maps))[1]


def recomputed_layer_loop(function, maps, stacks, seeds=None):
    """As `layer_loop`, but of each layer only its maps are kept; the gradient runs it once more."""
    num_layers, num_stacks = stacks[0].shape[0], len(stacks)

    @tf.custom_gradient
    def run(*tensors):
        stacks, parts = tensors[:num_stacks], list(tensors[num_stacks:])
        arrays = [_array_of_layers((num_layers, *part.shape), part.dtype) for part in parts]

        def body(index, parts, arrays):
            arrays = _written(arrays, index, parts)
            following = run_layer(index, [stack[index] for stack in stacks], parts)
            return index + 1, following, arrays

        def run_layer(index, weights, parts):
            following = function(
                tf.nest.pack_sequence_as(maps, parts), weights, _entry(seeds, index)
            )
            return _with_shapes_of(parts, tf.nest.flatten(following))

        def gradient(*output_gradients):
            arrays = [_array_of_layers(stack.shape, stack.dtype) for stack in stacks]

            def body(index, gradients, arrays):
                weights = [stack[index] for stack in stacks]
                # Only once they are needed: TensorFlow would run all layers again at the same time.
                inputs = copies_behind([values[index] for values in kept], gradients)
                with tf.GradientTape() as tape:
                    tape.watch([weights, inputs])
                    outputs = run_layer(index, weights, inputs)
                weight_gradients, gradients = tape.gradient(
                    outputs, (weights, inputs), gradients, unconnected_gradients="zero"
                )
                return index - 1, gradients, _written(arrays, index, weight_gradients)

            state = (tf.constant(num_layers - 1), list(output_gradients), arrays)
            _, gradients, arrays = _run(body, num_layers, state)
            return [*(array.stack() for array in arrays), *gradients]

        _, parts, arrays = _run(body, num_layers, (tf.constant(0), parts, arrays))
        kept = [array.stack() for array in arrays]
        return parts, gradient

    return tf.nest.pack_sequence_as(maps, run(*stacks, *tf.nest.flatten(maps)))


def _run(body, num_layers, state):
    return tf.while_loop(
        lambda index, *_: (index >= 0) & (index < num_layers),
        body,
        state,
        maximum_iterations=num_layers,
    )


def _entry(seeds, index):
    return None if seeds is None else seeds[index]


def _with_shapes_of(maps, following):
    return tf.nest.map_structure(
        lambda maps, following: tf.ensure_shape(following, maps.shape), maps, following
    )


def _array_of_layers(shape, dtype):
    """A `TensorArray` for the entries of a tensor of this shape along its first axis."""
    return tf.TensorArray(dtype, size=shape[0], element_shape=shape[1:])


def _written(arrays, index, values):
    return [array.write(index, value) for array, value in zip(arrays, values, strict=True)]

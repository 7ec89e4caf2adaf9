"""The loop that runs all layers of a recurrent network side by side."""

import tensorflow as tf


class Wavefront:
    """Iteration s holds layer l at step s - l.

    What is in one iteration is independent, so that TensorFlow computes the layers on several
    cores, and there are T + L - 1 iterations instead of T * L. All layers are inside their range at
    iterations L - 1 ... T - 1; those past the first steps run in a `tf.while_loop`, the few before
    and after are unrolled.

    Args:
        num_layers: L.
        num_steps: T.
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

        Args:
            body: called with the iteration, a Python `int` or a scalar tensor; with the layers that
                it holds; with `is_first(layer)`, which says, statically, whether a layer is at its
                first step; and with the state.
            state: a structure of tensors and `TensorArray`s.
            backwards: whether to begin with the last iteration.

        Returns:
            The last state.
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

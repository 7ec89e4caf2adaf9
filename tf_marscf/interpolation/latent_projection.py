"""The projection of latents to high density (mAR-SCF, Eq. 11)."""

import keras
import numpy as np
import tensorflow as tf

from tf_marscf.errors import RunError
from tf_marscf.interpolation.interpolated_points import InterpolatedPoints
from tf_marscf.kernels.choices import is_compiled

# Parts of the learning rate with which a point is tried again.
_SMALLER_RATES = (0.1, 0.01, 0.001)


class LatentProjection:
    """Moves points of linear paths to where the prior is denser (mAR-SCF, Eq. 11).

        z* = argmin_z  d(z, z_lin) - lambda_1 log p(z) / D
                       + lambda_2 min(d(g(z), x_A), d(g(z), x_B))

    z is all latent maps of a point, g the decoder, and log p the prior's log-density of all levels
    in nats: `sum_{i < L} log p(l_i | r_i) + log p(h_L)`, each r_i decoded from the levels below, in
    the same pass as g(z). Log-dets have no part in it.

    d is a root mean square, |.| / sqrt(D), and the density is in nats per dimension: all three
    terms stay of one size as D grows, and lambdas in [0.2, 0.5] mean the same for images of all
    sizes. A point moves on until the root mean square of grad log p is about 1 / lambda_1. (In sums
    over elements, points would run to the mode of a large prior, since |grad log p| grows with
    sqrt(D) and the norm's gradient does not.) `distance="mean_square"` squares both norms: the kink
    at z_lin is gone, and z* is about `z_lin + lambda_1 / 2 * grad log p` for lambda_2 = 0.

    Adamax starts at z_lin. All points are one batch; the loss is the sum of their objectives and
    Adamax keeps its state for each element, so that no point knows of another.

    Of its iterates, a point becomes the one of the least objective among those whose log p(z) is
    above log p(z_lin). Where no iterate is denser, the image pulled too hard or the steps were too
    long for the prior's narrowest directions: from z_lin, Adamax then follows the objective without
    its image term, with a tenth, a hundredth and a thousandth of the learning rate until there is a
    denser iterate. The first of those steps goes along the sign of grad log p, and so uphill if it
    is short enough. If all fails the point stays z_lin. Results tell of both.

    Args:
        model: a `MarScf`.
        linear_latents: z_lin, a map a level, [B, T, H / 2^i, W / 2^i, C_i].
        first_images: x_A, continuous [B, H, W, C].
        second_images: x_B, likewise.
        label: of a model with classes, those of the points, [B, T]: all densities are given them.
        jit_compile: as of `CompilationConfig`.

    Attributes:
        linear: `InterpolatedPoints` of z_lin; `RunError` names one that is not finite.
    """

    def __init__(
        self,
        model,
        linear_latents,
        first_images,
        second_images,
        label=None,
        jit_compile="auto",
    ):
        self._model = model
        self._label = label
        self._linear_latents = tuple(tf.convert_to_tensor(maps) for maps in linear_latents)
        self._targets = (first_images, second_images)
        self._latents = [tf.Variable(maps) for maps in self._linear_latents]
        self._optimizer = keras.optimizers.Adamax()
        self._optimizer.build(self._latents)
        self._initial_state = [variable.numpy() for variable in self._optimizer.variables]
        with_xla = is_compiled(jit_compile)
        self._terms_graph = tf.function(self._terms, autograph=False, jit_compile=with_xla)
        self._step_graph = tf.function(self._step, autograph=False, jit_compile=with_xla)
        self.linear = self._evaluate(self._linear_latents)

    def objective(self, latents, config):
        """The function that is minimised, [B, T], of z, which is shaped as `linear_latents`."""
        return _objective(self._terms(latents), config.lambda_1, config.lambda_2, config.distance)

    def project(self, config, on_iteration=None):
        """Projects all points, as a `ProjectionConfig` says.

        Returns `(points, is_retried)`: `InterpolatedPoints`, of a greater `log_prior` than the
        linear ones except where a point stayed; and Boolean [B, T], where shorter steps without the
        image term were needed or tried. `RunError` names an iterate that is not finite.
        """
        projected = self._follow(config, config.learning_rate, 1.0, on_iteration)
        is_retried = waiting = projected.log_prior <= self.linear.log_prior
        for rate in _SMALLER_RATES:
            if np.any(waiting):
                found = self._follow(config, rate * config.learning_rate, 0.0)
                projected = projected.where(waiting, found)
                waiting = projected.log_prior <= self.linear.log_prior
        return projected, is_retried

    def _evaluate(self, latents):
        return _points(latents, self._terms_graph(latents), "point")

    def _follow(self, config, learning_rate, image_weight, on_iteration=None):
        """Runs Adamax from z_lin; the best iterate of each point, or z_lin where none is denser.

        `image_weight` scales the image term in what Adamax follows, not in what is best.
        """
        for variable, maps in zip(self._latents, self._linear_latents, strict=True):
            variable.assign(maps)
        for variable, value in zip(self._optimizer.variables, self._initial_state, strict=True):
            variable.assign(value)
        self._optimizer.learning_rate = learning_rate
        dtype = self._model.dtype
        weights = [
            tf.constant(value, dtype)
            for value in (config.lambda_1, config.lambda_2, config.lambda_2 * image_weight)
        ]
        linear_log_prior = tf.constant(self.linear.log_prior, dtype)
        best = tf.fill(linear_log_prior.shape, tf.constant(np.inf, dtype)), self._linear_latents
        # A step scores the iterate that it starts from: the last one is there for its score alone.
        for iteration in range(config.num_iterations + 1):
            objective, best = self._step_graph(best, linear_log_prior, weights, config.distance)
            _check_finite(
                objective.numpy(),
                f"the objective of Eq. 11 after {iteration} iterations, a smaller `learning_rate` "
                "may do,",
                "point",
            )
            if on_iteration is not None and iteration:
                on_iteration()
        points = self._evaluate(best[1])
        # This graph is another one, whose rounding may see no denser point.
        return self.linear.where(points.log_prior > self.linear.log_prior, points)

    def _step(self, best, linear_log_prior, weights, distance):
        """Scores the current iterate and moves on; returns its objective and the best so far."""
        lambda_1, lambda_2, followed_lambda_2 = weights
        with tf.GradientTape() as tape:
            terms = self._terms(self._latents)
            # Of the size of sums over elements: means could come near Adamax's epsilon.
            loss = self._model.event_shape.num_elements() * tf.reduce_sum(
                _objective(terms, lambda_1, followed_lambda_2, distance)
            )
        objective = _objective(terms, lambda_1, lambda_2, distance)
        gradients = tape.gradient(loss, self._latents)
        best_objective, best_latents = best
        is_better = (terms["log_prior"] > linear_log_prior) & (objective < best_objective)
        best_latents = tuple(
            tf.where(is_better[..., tf.newaxis, tf.newaxis, tf.newaxis], current, maps)
            for current, maps in zip(self._latents, best_latents, strict=True)
        )
        self._optimizer.apply_gradients(zip(gradients, self._latents, strict=True))
        return objective, (tf.where(is_better, objective, best_objective), best_latents)

    def _terms(self, latents):
        return _terms(self._model, latents, self._linear_latents, *self._targets, self._label)


def evaluate_end_points(model, first_images, second_images, label=None, jit_compile="auto"):
    """The `InterpolatedPoints` [B, 2] of continuous images x_A and x_B, [B, H, W, C] each.

    Of a model with classes, `label` [B, 2] is theirs. `jit_compile` is as of `CompilationConfig`.
    `RunError` names an image of which a density is not finite.
    """

    @tf.function(autograph=False, jit_compile=is_compiled(jit_compile))
    def evaluate(images):
        latents = model.latents(images)
        return latents, _terms(model, latents, latents, images[:, 0], images[:, 1], label)

    return _points(*evaluate(tf.stack([first_images, second_images], axis=1)), "image")


def _terms(model, latents, linear_latents, first_images, second_images, label):
    images, log_priors, log_dets = model.decode_with_log_prob_parts(latents, label)
    log_prior = tf.add_n(log_priors)
    latent_distances = [
        _squared_norm(maps - linear_maps)
        for maps, linear_maps in zip(latents, linear_latents, strict=True)
    ]
    image_distances = [
        _squared_norm(images - target[:, tf.newaxis]) for target in (first_images, second_images)
    ]
    return {
        "images": images,
        "log_prior": log_prior,
        "log_prob": log_prior + tf.add_n(log_dets),
        "squared_latent_distance": tf.add_n(latent_distances),
        "squared_image_distances": tf.stack(image_distances, axis=-1),
    }


def _objective(terms, lambda_1, lambda_2, distance):
    num_dimensions = terms["images"].shape[2:].num_elements()
    measure = _root if distance == "root_mean_square" else tf.identity
    nearest = tf.reduce_min(terms["squared_image_distances"], axis=-1)
    return (
        measure(terms["squared_latent_distance"] / num_dimensions)
        - lambda_1 * terms["log_prior"] / num_dimensions
        + lambda_2 * measure(nearest / num_dimensions)
    )


def _squared_norm(maps):
    return tf.reduce_sum(tf.square(maps), axis=[-3, -2, -1])


def _root(values):
    """The square root, with gradient 0 at 0: the norm has a kink at z_lin, where Adamax starts."""
    is_zero = tf.equal(values, 0.0)
    positive = tf.where(is_zero, tf.ones_like(values), values)
    return tf.where(is_zero, tf.zeros_like(values), tf.sqrt(positive))


def _points(latents, terms, kind):
    terms = {name: value.numpy() for name, value in terms.items()}
    for name in ("log_prior", "log_prob"):
        _check_finite(terms[name], f"`{name}`", kind)
    return InterpolatedPoints(
        latents=tuple(np.asarray(maps) for maps in latents),
        images=terms["images"],
        log_prior=terms["log_prior"],
        log_prob=terms["log_prob"],
        latent_distance=np.sqrt(terms["squared_latent_distance"]),
        image_distances=np.sqrt(terms["squared_image_distances"]),
    )


def _check_finite(values, name, kind):
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        pair, point = wrong[0]
        raise RunError(
            f"{name} must be finite; got {values[pair, point]} for {kind} {point + 1} of pair "
            f"{pair + 1} ({len(wrong)} of {values.size} are not finite)."
        )

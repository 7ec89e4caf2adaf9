"""A distribution as a Keras layer, whose weights Keras sees."""

import keras
import tensorflow as tf

from tf_marscf.distributions import Dequantized, VariationalDequantizer
from tf_marscf.errors import InputError, InputTypeError
from tf_marscf.flow import MarScf
from tf_marscf.stateless_seed import split_seed

# Noise outside of training is the same in every call, so that figures can be compared.
_INFERENCE_SEED = 20200620
_SEED_STATE = "seed_state"


@keras.saving.register_keras_serializable("tf_marscf")
class DensityLayer(keras.layers.Layer):
    """A `MarScf`, or a `Dequantized` of one, as a layer of a Keras model.

    Keras passes over distributions: a model that holds one directly neither trains nor saves its
    weights. It trains and saves those of this layer, which are the distribution's own, not copies.
    Layers of one distribution share its weights, and whether they train.

    A call returns log p in nats. With `training=True` dropout is on, and a `Dequantized` draws new
    noise each time; otherwise its noise is the same in each call.

    Example:
        >>> import keras, tf_marscf
        >>> model = tf_marscf.MarScf((8, 8, 1), num_levels=2, num_steps=1, hidden_channels=8)
        >>> images = keras.Input((8, 8, 1))
        >>> density = keras.Model(images, tf_marscf.DensityLayer(model)(images))
        >>> density.count_params() == sum(part.shape.num_elements() for part in model.variables)
        True

    `keras.models.load_model` needs `from tf_marscf import DensityLayer` before it.

    Args:
        distribution: a `MarScf`, or a `Dequantized` of one; else there is an `InputTypeError`.
        seed: Python `int` or None, seed of the noise while training.
        trainable: Python `bool`: False freezes the weights, for all layers that share them.
        name: Python `str`.
    """

    def __init__(self, distribution, seed=None, trainable=True, name=None):
        is_dequantized = isinstance(distribution, Dequantized)
        model = distribution.distribution if is_dequantized else distribution
        if not isinstance(model, MarScf):
            raise InputTypeError(
                "`distribution` must be a MarScf, or a Dequantized around one; got "
                f"{type(distribution).__name__}."
            )
        super().__init__(name=name, dtype=tf.as_dtype(model.dtype).name)
        self._is_dequantized = is_dequantized
        self._distribution = distribution  # For `tf.train.Checkpoint`, which sees no lists.
        self._seed_generator = keras.random.SeedGenerator(seed)
        weights = _keras_variables(distribution, model)
        trains = [weight.trainable for weight in weights]
        # Keras orders weights by this when it saves them: it must not depend on what is frozen.
        for weight, variable in zip(weights, distribution.variables, strict=True):
            weight.trainable = variable.trainable
        self._distribution_weights = weights
        for weight, is_trained in zip(weights, trains, strict=True):
            weight.trainable = is_trained
        if not trainable:
            self.trainable = False
        self.built = True

    @property
    def distribution(self):
        """The distribution."""
        return self._distribution

    @property
    def model(self):
        """The `MarScf`."""
        return self.distribution.distribution if self._is_dequantized else self.distribution

    def call(self, inputs, training=False):
        """Log-densities of continuous images [..., H, W, C], or log-probabilities of uint8 images.

        They are in nats, of the images' leading shape, in the model's dtype. `inputs` are the
        images or, for a model with classes, the pair (images, label).
        """
        images, label = images_and_label(inputs, self.model.num_classes)
        self._check_weights_are_its_own()
        seed = self._seed_generator.next() if training else _INFERENCE_SEED
        noise_seed, dropout_seed = split_seed(seed, 2)
        options = {"seed": noise_seed} if self._is_dequantized else {}
        if training:
            options["dropout_seed"] = dropout_seed
        if label is not None:
            options["label"] = label
        return self.distribution.log_prob(images, **options)

    def compute_output_shape(self, input_shape):
        """The shape of what a call returns: the leading shape of the images."""
        image_shape, _ = images_and_label(input_shape, self.model.num_classes)
        return tuple(image_shape)[:-3]

    def initialize(self, images):
        """Sets every ActNorm from a batch [N, H, W, C], uint8 for a `Dequantized`."""
        if self._is_dequantized:
            self.distribution.initialize(images, seed=_INFERENCE_SEED)
        else:
            self.model.initialize(images)

    def log_prob(self, value, **kwargs):
        """`log_prob` of the distribution, in nats."""
        return self.distribution.log_prob(value, **kwargs)

    def sample(self, sample_shape=(), seed=None, **kwargs):
        """`sample` of the distribution."""
        return self.distribution.sample(sample_shape, seed=seed, **kwargs)

    def bits_per_dim(self, pixels, seed=None, **kwargs):
        """`bits_per_dim` of a `Dequantized`; `InputTypeError` if the distribution is none."""
        if not self._is_dequantized:
            raise InputTypeError(
                "`distribution` of this layer must be a Dequantized to have bits per dimension; "
                f"got {type(self.distribution).__name__}."
            )
        return self.distribution.bits_per_dim(pixels, seed=seed, **kwargs)

    def get_config(self):
        """The architecture as a dict that JSON can hold and `from_config` takes."""
        pixels = None
        if self._is_dequantized:
            scaling = self.distribution.scaling
            pixels = {
                "num_grey_levels": scaling.num_grey_levels,
                "published_scaling": scaling.published,
                "validate_args": self.distribution.validate_args,
            }
            if self.distribution.dequantizer is not None:
                pixels["dequantizer"] = self.distribution.dequantizer.get_config()
        initial_seed = self.model.parameters["seed"]
        return {
            "model": self.model.get_config(),
            "validate_args": self.model.validate_args,
            "initial_seed": None if initial_seed is None else int(initial_seed),
            "pixels": pixels,
            "seed": self._seed_generator.get_config()["seed"],
            "trainable": self.trainable,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        """A layer of a new distribution."""
        config = dict(config)
        distribution = MarScf.from_config(
            config.pop("model"),
            seed=config.pop("initial_seed"),
            validate_args=config.pop("validate_args"),
        )
        pixels = config.pop("pixels")
        if pixels is not None:
            dequantizer = pixels.get("dequantizer")
            if dequantizer is not None:
                pixels = pixels | {"dequantizer": VariationalDequantizer(**dequantizer)}
            distribution = Dequantized(distribution, **pixels)
        return cls(distribution, **config)

    def save_own_variables(self, store):
        """Saves the weights, and the state of the noise, which Keras leaves out."""
        super().save_own_variables(store)
        store[_SEED_STATE] = self._seed_generator.state

    def load_own_variables(self, store):
        """Loads what `save_own_variables` saved."""
        store = {name: store[name] for name in store.keys()}
        seed_state = store.pop(_SEED_STATE, None)
        super().load_own_variables(store)
        if seed_state is not None:
            self._seed_generator.state.assign(seed_state)

    def _check_weights_are_its_own(self):
        variables = self.distribution.variables
        for weight, variable in zip(self._distribution_weights, variables, strict=True):
            if weight.value is not variable:
                raise InputError(
                    f"`stateless_call` must be of a model without a {type(self).__name__}: a "
                    "MarScf computes with its own weights. Set those, then call the model; got "
                    f"another value for {weight.name}."
                )


def images_and_label(inputs, num_classes):
    """(images, label) as a layer is called with them; without classes, the label is None.

    `InputError` if a model has classes, and the inputs are no such pair.
    """
    if num_classes is None:
        return inputs, None
    if not isinstance(inputs, tuple | list) or len(inputs) != 2:
        raise InputError(
            "`inputs` must be a pair (images, label), since the model has classes "
            f"(num_classes={num_classes}); got {type(inputs).__name__}."
        )
    return tuple(inputs)


def _keras_variables(distribution, model):
    """One `keras.Variable` that holds each variable of a distribution of a model, in its order."""
    scopes = {
        f"level_{number}/{name}": part
        for number, level in enumerate(model.levels, start=1)
        for name, part in [
            *((bijector.name, bijector) for bijector in level.level_bijector.bijectors),
            ("prior", level.latent_prior),
        ]
    }
    if distribution is not model and distribution.dequantizer is not None:
        flow = distribution.dequantizer.flow
        scopes |= {f"dequantizer/{bijector.name}": bijector for bijector in flow.bijectors}
    names = {}
    for scope, part in scopes.items():
        for variable in part.variables:
            name = variable.name.split(":")[0].split("/", 1)[-1]
            names[variable.ref()] = f"{scope}/{name}".replace("/", ".")
    for variable in distribution.variables:
        # Kept with the variable: Keras would take two for two weights, and train both.
        if not hasattr(variable, "_keras_variable"):
            name, trainable = names[variable.ref()], variable.trainable
            variable._keras_variable = keras.Variable(
                variable, trainable=trainable, autocast=False, name=name
            )
    return [variable._keras_variable for variable in distribution.variables]

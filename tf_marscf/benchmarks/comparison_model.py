"""What benchmarks ask of a model that they compare."""

from tf_marscf.distributions import Dequantized


class ComparisonModel:
    """A density of continuous images [N, H, W, C] in [-0.5, 0.5), ready to be compared.

    Args:
        kind: a key of `MODEL_LABELS`.
        distribution: the TFP distribution inside.
        width: hidden channels of its networks.
        num_sampling_steps: network passes, one after another, that a sample takes.
    """

    def __init__(self, kind, distribution, width, num_sampling_steps):
        self.kind = kind
        self.distribution = distribution
        self.width = width
        self.num_sampling_steps = num_sampling_steps

    @property
    def trainable_variables(self):
        """All trainable variables."""
        return self.distribution.trainable_variables

    @property
    def num_parameters(self):
        """Trainable numbers."""
        return sum(variable.shape.num_elements() for variable in self.trainable_variables)

    def log_prob(self, images):
        """Log-density in nats, [N], of images [N, H, W, C]."""
        return self.distribution.log_prob(images)

    def training_log_prob(self, images, dropout_seed):
        """As `log_prob`, while training: a model with dropout takes the seed, [2]."""
        return self.log_prob(images)

    def sample(self, num_images):
        """Images [num_images, H, W, C], others at each call."""
        return self.distribution.sample(num_images)

    def initialize(self, images):
        """The model's own data-dependent initialisation, if any, from images [N, H, W, C]."""

    def dequantized(self, num_grey_levels):
        """The `Dequantized` of the model that is trained and scored."""
        return Dequantized(self.distribution, num_grey_levels)

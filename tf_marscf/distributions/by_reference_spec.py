"""A `tf.TypeSpec` for distributions that pass by reference."""

import tensorflow as tf
import tensorflow_probability as tfp


class ByReferenceSpec(tf.TypeSpec):
    """The type of one `FlowLevel`, equal only to the spec of the same object.

    `tfd.TransformedDistribution` makes its subclasses composite tensors: TensorFlow takes them
    apart into tensors and rebuilds them from their constructor's arguments. For a distribution
    with weights that would build new, random weights. Here there are no tensors inside, and
    rebuilding returns the object itself: a `tf.function` takes the distribution as an argument and
    captures its variables, as it does those of any `tf.Module`. The components are the two modules
    that the level is made of, because a `tf.Module` that holds the level looks for variables in
    its components only.

    Args:
        value: a `FlowLevel`.
    """

    __slots__ = ["_value"]

    def __init__(self, value):
        self._value = value

    @property
    def value_type(self):
        """The object's class."""
        return type(self._value)

    @property
    def _component_specs(self):
        return ()

    def _to_components(self, value):
        return (value.distribution, value.level_bijector)

    def _from_components(self, components):
        return self._value

    def _serialize(self):
        return (self._value,)

    def placeholder_value(self, placeholder_context):
        """The object."""
        return self._value

    def to_tensors(self, value):
        """No tensors."""
        return []

    def cast(self, value, casting_context):
        """The object."""
        return self._value

    def is_subtype_of(self, other):
        """Whether `other` is the spec of the same object."""
        return self == other

    def most_specific_common_supertype(self, others):
        """This spec if all are equal, else None."""
        return self if all(self == other for other in others) else None

    def __eq__(self, other):
        return isinstance(other, ByReferenceSpec) and self._value is other._value

    def __hash__(self):
        return id(self._value)

    def __repr__(self):
        return f"ByReferenceSpec({self._value!r})"


class ByReferenceMeta(type(tfp.distributions.TransformedDistribution)):
    """Metaclass of distributions that pass by reference.

    The metaclass of `tfd.TransformedDistribution` gives every subclass a `_type_spec` of its own,
    whatever the class itself defines; this one replaces it.
    """

    def __new__(mcs, name, bases, attributes):
        """Creates the class."""
        cls = super().__new__(mcs, name, bases, attributes)
        cls._type_spec = property(ByReferenceSpec)
        return cls

"""A `tf.TypeSpec` for objects that pass by reference."""

import tensorflow as tf


class ByReferenceSpec(tf.TypeSpec):
    """The type of one object: no tensors inside, equal only to the spec of the same object.

    `tfd.TransformedDistribution` makes its subclasses composite tensors, which TensorFlow takes
    apart and rebuilds from their constructor's arguments. For a distribution with weights that
    would build new, random weights. With this spec a `tf.function` takes the distribution as an
    argument and captures its variables, as it does those of any `tf.Module`.

    Args:
        value: the object.
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
        return ()

    def _from_components(self, components):
        return self._value

    def _serialize(self):
        return (id(self._value),)

    def is_compatible_with(self, spec_or_value):
        """Whether it is the same object, or its spec."""
        other = spec_or_value
        return self == other if isinstance(other, ByReferenceSpec) else other is self._value

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

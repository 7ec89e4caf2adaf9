"""Copies of objects with weights: TFP's `copy`, `copy.deepcopy` and `pickle`."""

_KEEPS_WEIGHTS = {"name", "validate_args"}


class RebuiltFromParameters:
    """Mixin of TFP classes that make their weights in their constructors.

    TFP's `copy` calls the constructor again, which would draw new weights. Python copies attributes
    one by one, from which Keras layers hide (`KerasModule`): a deep copy would compute with the
    weights of the original. So one is built from copied `parameters`, and gets the values of all
    variables: weights of its own.
    """

    def copy(self, **override_parameters_kwargs):
        """A copy that shares the weights.

        `name` and `validate_args` change only these. Any other argument of the constructor makes a
        new object: with the same parts, where those are arguments, and with new weights, where it
        has its own.
        """
        parameters = self.parameters | override_parameters_kwargs
        if set(override_parameters_kwargs) - _KEEPS_WEIGHTS:
            # TFP's own keeps the original inside the copy, with all its variables.
            return type(self)(**parameters)
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        copied._parameters = copied._no_dependency(parameters)
        for name, value in override_parameters_kwargs.items():
            setattr(copied, f"_{name}", value)
        return copied

    def __reduce__(self):
        """What `copy.deepcopy` and `pickle` build a copy from."""
        values = [variable.numpy() for variable in self.variables]
        return _rebuild, (type(self), dict(self.parameters), values)

    def __copy__(self):
        """A shallow copy: the same weights, as of `copy`."""
        return self.copy()


def _rebuild(cls, parameters, values):
    rebuilt = cls(**parameters)
    for variable, value in zip(rebuilt.variables, values, strict=True):
        variable.assign(value)
    return rebuilt

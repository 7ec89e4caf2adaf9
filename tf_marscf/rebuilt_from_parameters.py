"""Copies of objects with weights, by `copy.deepcopy` and `pickle`."""


class RebuiltFromParameters:
    """Mixin of TFP classes that hold Keras layers.

    Python would copy an object's attributes one by one. The layers hide from that (`KerasModule`),
    and the copy would compute with the weights of the original. So a copy is built by the
    constructor from copied `parameters`, and gets the values of all variables: weights of its own.
    """

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

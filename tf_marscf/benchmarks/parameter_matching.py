"""Widths that give one model as many parameters as another."""

from tf_marscf.errors import InputError


def matching_width(count_parameters, target, multiple_of=1):
    """The width whose number of parameters is nearest to a target.

    The networks here have layers w -> w, and others with one end that does not depend on the width
    w. So the count is a quadratic polynomial a w^2 + b w + c with a, b >= 0, which three counts
    determine exactly; no search is needed.

    Args:
        count_parameters: function from a width to the number of parameters.
        target: the number of parameters to come near to.
        multiple_of: the width is a multiple of it.

    Returns:
        The width, at least `multiple_of`.

    Raises:
        ValueError: if the count is no such polynomial, so that its solution would be wrong.
    """
    step = multiple_of
    counts = [count_parameters(step * index) for index in (1, 2, 3)]
    # In units u = w / step: count(u) = curvature / 2 * u (u - 1) + slope * u + constant.
    curvature = counts[2] - 2 * counts[1] + counts[0]
    slope = counts[1] - counts[0] - curvature
    constant = counts[0] - slope

    def count(unit):
        return curvature * unit * (unit - 1) // 2 + slope * unit + constant

    if curvature < 0 or counts[1] <= counts[0]:
        raise InputError(
            f"`count_parameters` must grow with the width; got {counts} at widths "
            f"{step}, {2 * step} and {3 * step}."
        )
    unit = 1
    while count(unit + 1) <= target:
        unit += 1
    if count(unit) < target and count(unit + 1) - target < target - count(unit):
        unit += 1
    width = unit * step
    if unit > 3 and count_parameters(width) != count(unit):
        raise InputError(
            f"`count_parameters` must be a quadratic polynomial of the width; got "
            f"{count_parameters(width)} at {width}, not {count(unit)}."
        )
    return width

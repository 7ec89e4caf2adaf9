"""Flags that were given and would have no effect: they are refused, not passed over."""

from absl import flags

from tf_marscf.errors import InputError


def refuse_given(names, reason):
    """Refuses flags that were given, such as on the command line or in a flagfile.

    Args:
        names: of flags that have no effect, as the others are.
        reason: why, the end of a sentence, such as "without --metrics".

    Raises:
        InputError: naming the first flag that was given.
    """
    for name in names:
        flag = flags.FLAGS[name]
        if flag.present:
            raise InputError(
                f"`{name}` must not be given {reason}, where it has no effect; got {flag.value!r}."
            )

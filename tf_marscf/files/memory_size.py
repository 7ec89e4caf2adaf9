"""Whether this machine's memory can hold what a file is about to become."""

import os

from tf_marscf.errors import InputError


def memory_bytes():
    """The memory of this machine, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_fits_memory(num_bytes, argument):
    """Refuses what cannot fit: small compressed files can become larger than any memory.

    Args:
        num_bytes: the memory that it would take.
        argument: what to call it in an error.

    Raises:
        InputError: if the machine does not have as much.
    """
    available = memory_bytes()
    if num_bytes > available:
        raise InputError(
            f"{argument} must fit into the memory of this machine, {available:,} bytes; got "
            f"{num_bytes:,}."
        )

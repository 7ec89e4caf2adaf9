"""Which weights a result belongs to."""

import hashlib
import json

import numpy as np

# How a model computes is no part of the digest. Earlier versions had it there: with these values,
# results of theirs still belong to their weights.
_DEFAULT_EXECUTION = {"network_dtype": None, "recompute_prior": False, "recompute_couplings": True}


def weights_digest(images_distribution):
    """A fingerprint of a model: equal for equal weights, architecture and pixel scaling.

    Results that hold it can be told from those of other weights, such as of an earlier checkpoint
    in the same directory.

    Args:
        images_distribution: a `Dequantized` around a `MarScf`.

    Returns:
        A string, the first 16 hexadecimal digits of a SHA-256.
    """
    scaling = images_distribution.scaling
    facts = {
        "model": images_distribution.distribution.config.to_dict() | _DEFAULT_EXECUTION,
        "scaling": [scaling.num_grey_levels, scaling.published],
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for variable in images_distribution.variables:
        values = np.ascontiguousarray(variable.numpy())
        digest.update(f"{values.dtype} {values.shape};".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()[:16]

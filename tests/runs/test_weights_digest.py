import hashlib
import json

import numpy as np

import tf_marscf
from tests.small_trainers import random_pixels, small_distribution, variational_distribution
from tf_marscf.runs.trained_model import weights_digest


def test_equal_weights_have_equal_digests(tmp_path):
    pixels = small_distribution()
    tf_marscf.save(pixels, tmp_path / "saved")
    digest = weights_digest(pixels)
    assert digest == weights_digest(tf_marscf.load(tmp_path / "saved"))
    assert len(digest) == 16


def test_any_weight_the_architecture_and_the_scaling_count():
    digests = {weights_digest(small_distribution())}
    digests.add(weights_digest(small_distribution(prior_dilations=1)))
    digests.add(weights_digest(small_distribution(max_log_scale=4.0)))
    digests.add(weights_digest(small_distribution(prior_max_log_scale=4.0)))
    published = tf_marscf.Dequantized(
        small_distribution().distribution, num_grey_levels=17, published_scaling=True
    )
    digests.add(weights_digest(published))
    changed = small_distribution()
    variable = changed.distribution.trainable_variables[-1]
    variable.assign_add(1e-6 + 0.0 * variable)
    digests.add(weights_digest(changed))
    assert len(digests) == 6


def test_learned_noise_counts():
    pixels = variational_distribution()
    digest = weights_digest(pixels)
    others = [small_distribution(), variational_distribution(num_steps=2)]
    assert digest not in {weights_digest(other) for other in others}
    variable = pixels.dequantizer.trainable_variables[-1]
    variable.assign_add(1e-6 + 0.0 * variable)
    assert weights_digest(pixels) != digest


def test_how_a_model_computes_does_not_count():
    digest = weights_digest(small_distribution())
    for options in ({"network_dtype": "bfloat16"}, {"recompute_prior": True}):
        assert weights_digest(small_distribution(**options)) == digest


def test_results_of_earlier_versions_belong_to_their_weights():
    """They hashed the execution's defaults as fields of the model."""
    pixels = small_distribution()
    facts = {
        "model": {
            "image_shape": [8, 8, 1], "num_levels": 2, "num_steps": 1, "hidden_channels": 8,
            "coupling": "affine", "prior": "mar", "prior_hidden_channels": 4,
            "prior_num_layers": 1, "prior_kernel_sizes": [5, 5], "prior_dilations": [2, 1],
            "prior_code_channels": 4, "prior_code_hidden_channels": 32, "num_blocks": 1,
            "num_components": 3, "num_heads": 2, "dropout_rate": 0.2, "dtype": "float32",
            "network_dtype": None, "recompute_prior": False, "recompute_couplings": True,
        },
        "scaling": [17, False],
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for variable in pixels.variables:
        digest.update(f"{variable.numpy().dtype} {variable.numpy().shape};".encode())
        digest.update(variable.numpy().tobytes())
    assert weights_digest(pixels) == digest.hexdigest()[:16]


def test_a_saved_model_computes_as_before(tmp_path):
    saved = small_distribution(network_dtype="bfloat16", recompute_prior=True)
    tf_marscf.save(saved, tmp_path / "saved")
    loaded = tf_marscf.load(tmp_path / "saved")
    assert loaded.distribution.execution == saved.distribution.execution
    pixels = random_pixels(3)
    np.testing.assert_array_equal(
        loaded.bits_per_dim(pixels, seed=1), saved.bits_per_dim(pixels, seed=1)
    )

import tf_marscf
from tests.small_trainers import small_distribution
from tf_marscf.runs.weights_digest import weights_digest


def test_equal_weights_have_equal_digests(tmp_path):
    pixels = small_distribution()
    tf_marscf.save(pixels, tmp_path / "saved")
    digest = weights_digest(pixels)
    assert digest == weights_digest(tf_marscf.load(tmp_path / "saved"))
    assert len(digest) == 16


def test_any_weight_the_architecture_and_the_scaling_count():
    digests = {weights_digest(small_distribution())}
    digests.add(weights_digest(small_distribution(prior_dilations=1)))
    published = tf_marscf.Dequantized(
        small_distribution().distribution, num_grey_levels=17, published_scaling=True
    )
    digests.add(weights_digest(published))
    changed = small_distribution()
    variable = changed.distribution.trainable_variables[-1]
    variable.assign_add(1e-6 + 0.0 * variable)
    digests.add(weights_digest(changed))
    assert len(digests) == 4

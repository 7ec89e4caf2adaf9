import pytest

from tf_marscf.benchmarks.comparison_models import matching_width


def count(width):
    """Of convolutions 3 x 3 from 6 to w, 1 x 1 from w to w and 3 x 3 from w to 12."""
    return 9 * 6 * width + width**2 + 9 * width * 12 + 12


@pytest.mark.parametrize("target", [count(1), count(7) + 3, 5_000, 123_456, 10_000_000])
def test_no_other_width_is_nearer(target):
    width = matching_width(count, target)
    distance = abs(count(width) - target)
    assert all(abs(count(other) - target) >= distance for other in (width - 1, width + 1) if other)


def test_an_exact_match_is_found():
    assert matching_width(count, count(91)) == 91


def test_the_width_is_a_multiple():
    width = matching_width(count, count(91), multiple_of=4)
    assert width in (88, 92)
    assert abs(count(width) - count(91)) <= abs(count(180 - width) - count(91))


def test_a_target_below_all_counts_gives_the_smallest_width():
    assert matching_width(count, 0, multiple_of=4) == 4


def test_a_linear_count_is_matched():
    assert matching_width(lambda width: 10 * width, 994) == 99


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [(lambda width: 5, "must grow with the width"), (lambda w: w**3, "quadratic polynomial")],
)
def test_a_count_that_is_no_quadratic_polynomial_is_refused(wrong, rule):
    with pytest.raises(ValueError, match=f"`count_parameters` .*{rule}"):
        matching_width(wrong, 1_000)

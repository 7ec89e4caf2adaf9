"""Bits/dim of a whole data set, and what it is made of."""

import dataclasses
import math

from tf_marscf.errors import InputError
from tf_marscf.evaluation.image_scores import score_images
from tf_marscf.rules import check_entries, dict_of, integer, list_of, number, optional

_RULES = {
    "bits_per_dim": number(),
    "standard_error": optional(number(0.0)),
    "num_images": integer(1),
    "num_samples": integer(1),
    "terms": dict_of(number()),
    "log_det_by_level": list_of(number(), 1),
}


@dataclasses.dataclass(frozen=True)
class BitsPerDim:
    """A mean over `num_images` images and `num_samples` draws of noise an image.

    Attributes:
        mean: bits per dimension: the sum of `terms`, exactly.
        standard_error: of the mean, from the spread between images; None for a single image.
        terms: bits per dimension by name, means over images and draws: `grey_levels`, the width of
            a grey level, log2(num_grey_levels); `log_det`, that of the flow; `prior_level_1` ...,
            the prior of each level; `dequantization`, log q of a dequantizer's noise, only where
            there is one; `importance_weighting`, what the bound over many draws gains
            over the mean over draws: 0 for one draw, else <= 0.
        log_det_by_level: `log_det` of each level, a tuple; its sum is the term, up to rounding.
    """

    mean: float
    standard_error: float | None
    num_images: int
    num_samples: int
    terms: dict = dataclasses.field(default_factory=dict)
    log_det_by_level: tuple = ()

    def to_dict(self):
        """A dict that JSON can hold."""
        content = dataclasses.asdict(self)
        content["log_det_by_level"] = list(self.log_det_by_level)
        return {"bits_per_dim": content.pop("mean")} | content

    @classmethod
    def from_dict(cls, content):
        """The inverse of `to_dict`; ignores other entries.

        `InputError` if an entry is missing or wrong, or the terms do not add up.
        """
        check_entries(content, _RULES)
        terms, log_dets = content["terms"], content["log_det_by_level"]
        priors = [f"prior_level_{level}" for level, _ in enumerate(log_dets, 1)]
        learned = [name for name in ["dequantization"] if name in terms]
        if list(terms) != ["grey_levels", "log_det", *priors, *learned, "importance_weighting"]:
            raise InputError(f"terms must be those of {len(log_dets)} levels; got {list(terms)}.")
        if sum(terms.values()) != content["bits_per_dim"] or sum(log_dets) != terms["log_det"]:
            raise InputError("terms must add up to bits_per_dim, and log_det_by_level to log_det.")
        names = ("bits_per_dim", "standard_error", "num_images", "num_samples", "terms")
        return cls(*(content[name] for name in names), tuple(log_dets))

    def __str__(self):
        if self.standard_error is None:
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f} +- {self.standard_error:.4f}"

    def terms_line(self):
        """The terms in one line."""
        parts = [f"{name.replace('_', ' ')} {value:+.4f}" for name, value in self.terms.items()]
        return f"{self.mean:.4f} = {', '.join(parts)}"


def evaluate_bits_per_dim(images_distribution, batches, num_samples=1, seed=0, jit_compile="auto"):
    """The `BitsPerDim` of all images of a data set.

    With x_s the image k and the s-th of S draws of noise u_s, D dimensions and n grey levels,

        bits/dim = (log n - log(1/S sum_s p(x_s) / q(u_s | k)) / D) / log 2,  q = 1 if uniform
        log p(x) = sum_i log p(l_i | r_i) + sum_i log-det_i

    (mAR-SCF, Eq. 4, and Burda et al. 2016 for S > 1.) Each term is its mean over the draws. The
    logarithm of a mean is no sum over terms: by how much it exceeds the mean of the logarithms is
    a term of its own. Of a model with classes, each is given the image's label.

    Args:
        images_distribution: a `Dequantized` of a `MarScf`.
        batches: a data set of uint8 batches [N, H, W, C], as from `evaluation_pipeline`: of one
            size, but for the last, which may be smaller; of a model with classes, pairs with int64
            labels [N].
        num_samples: S >= 1, draws of noise an image; more give the tighter bound.
        seed: Python `int`, of the noise.
        jit_compile: as of `CompilationConfig`.

    Raises:
        RunError: if an image's bits/dim is not finite.
    """
    scores = score_images(images_distribution, batches, num_samples, seed, jit_compile)
    return mean_bits_per_dim(scores)


def mean_bits_per_dim(scores):
    """The `BitsPerDim` of the `ImageScores` of a data set."""
    totals, num_samples = scores.bits_per_dim, scores.num_samples
    standard_error = None
    if len(totals) > 1:
        standard_error = float(totals.std(ddof=1)) / math.sqrt(len(totals))
    *means, gain = (float(mean) for mean in scores.terms.mean(axis=1))
    num_levels = scores.num_levels
    log_dets, priors = means[:num_levels], means[num_levels : 2 * num_levels]
    terms = {
        "grey_levels": scores.grey_levels,
        "log_det": sum(log_dets),
        **{f"prior_level_{level}": prior for level, prior in enumerate(priors, 1)},
    }
    if len(means) > 2 * num_levels:
        terms["dequantization"] = means[-1]
    terms["importance_weighting"] = gain if num_samples > 1 else 0.0
    return BitsPerDim(
        mean=sum(terms.values()),
        standard_error=standard_error,
        num_images=len(totals),
        num_samples=num_samples,
        terms=terms,
        log_det_by_level=tuple(log_dets),
    )

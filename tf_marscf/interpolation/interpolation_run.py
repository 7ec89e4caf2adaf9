"""Interpolates between images of a data set with the model of a training directory."""

import dataclasses
import os

import numpy as np
import tensorflow as tf
import tqdm

from tf_marscf.command_text import command_text
from tf_marscf.distributions.bits_per_dim import bits_per_dim
from tf_marscf.errors import InputError, warn
from tf_marscf.files.paths import output_directory
from tf_marscf.interpolation.image_pairs import images_of_pairs, random_pairs
from tf_marscf.interpolation.interpolation import Interpolator
from tf_marscf.interpolation.interpolation_output import (
    path_rows,
    result_lines,
    write_interpolation,
)
from tf_marscf.interpolation.projection_config import ProjectionConfig, check_lambdas
from tf_marscf.quality.kernel_distance import MIN_BLOCK_SIZE, squared_mean_discrepancy
from tf_marscf.runs.restored_run import RestoredRun
from tf_marscf.sampling.image_grid import check_drawable, spread_grey_levels

DEFAULT_DIRECTORY = "interpolation"
_MAX_REFERENCE_IMAGES = 1000


class InterpolationRun(RestoredRun):
    """Interpolation with the model of a training directory.

    Args:
        train_dir: the training directory, or one of imported weights.
        which: "best" or "latest" checkpoint.
        dataset: name of a data set; default: the one that the model was trained on.
        data_dir: where it is; default: as in training.
        split: whose images: "train", "validation" or "test".

    Raises:
        DataUnavailableError: if the data cannot be had.
        MissingInputError: if the directory or checkpoint is missing.
        InputError: if an argument is wrong, or the data do not fit the model.
    """

    def __init__(self, train_dir, which="best", dataset=None, data_dir=None, split="test"):
        super().__init__(train_dir, which, dataset, data_dir)
        check_drawable(self.config.model.image_shape, "train_dir")
        self._split = split
        self._images = self.images_of(split)
        self._num_grey_levels = self.images_distribution.num_grey_levels
        self._scaling = self.images_distribution.scaling

    def run(
        self,
        pairs=None,
        num_pairs=4,
        seed=0,
        num_points=7,
        config=None,
        lambdas=(),
        extractor=None,
        output_dir=None,
        progress=True,
        report=print,
    ):
        """Interpolates, and writes all files.

        In the output directory: `interpolation.png` (Fig. 11: the linear row of each pair above the
        projected one), `log_prior.png`, `lambda_curve.png` (Fig. 12); the numbers behind them in
        `interpolation.csv`, `lambda_curve.csv` and, all of them, in `interpolation.json`; and the
        images in `interpolation.npz`.

        Args:
            pairs: pairs of numbers of images in the split; default: drawn with `seed`.
            num_pairs: how many are drawn.
            seed: Python `int`.
            num_points: points between two images.
            config: a `ProjectionConfig`; default: that of the paper.
            lambdas: values of lambda_1 = lambda_2 for the curve, each but 0 a projection of its
                own; none for no curve.
            extractor: features for the curve's kernel distance: called with uint8
                [n, H, W, 1 or 3] of values 0 to 255, it returns an object with `features` [n, D];
                default: the pixels themselves.
            output_dir: default: `interpolation` in the training directory.
            progress: whether to show a progress bar.
            report: called with each line of the results.

        Returns:
            The dict that `interpolation.json` holds.

        Raises:
            RunError: if a number is not finite, nothing being written then; or if nothing can be
                written.
            InputError: if an argument is wrong.
        """
        if output_dir is None:
            output_dir = os.path.join(self.train_dir, DEFAULT_DIRECTORY)
        output_dir = output_directory("output_dir", output_dir)
        config = config or ProjectionConfig()
        check_lambdas(lambdas)
        num_images = int(self._images.cardinality())
        if pairs is None:
            pairs = random_pairs(num_pairs, num_images, seed)
        ends = images_of_pairs(self._images, pairs)
        score = None
        if lambdas:
            if len(pairs) * num_points < 2:
                raise InputError("`lambdas` must be empty for a single point; its score needs two.")
            num_left = num_images - len({index for pair in pairs for index in pair})
            if num_left < MIN_BLOCK_SIZE:
                raise InputError(
                    f"`lambdas` must be empty where fewer than {MIN_BLOCK_SIZE} images are left "
                    f"beside those of the pairs, since they score the curve; {num_left} are left."
                )
            score = self._kernel_score(pairs, extractor)
        model = self.images_distribution.distribution
        # In the middle of their grey levels: decoding gives the very pixels.
        middle = tf.fill(ends.shape, tf.constant(0.5, model.dtype))
        first, second = tf.unstack(self._scaling.continuous(ends, middle), axis=1)
        interpolator = Interpolator(model, first, second, num_points)
        num_projections = 1 + sum(value > 0.0 for value in lambdas)
        with tqdm.tqdm(
            total=num_projections * config.num_iterations,
            desc="projecting",
            unit=" iterations",
            disable=not progress,
            mininterval=1.0,
        ) as bar:
            interpolation = interpolator.interpolate(config, bar.update)
            curve = interpolator.lambda_curve(lambdas, config, score, bar.update)
        result = self._result(interpolation, curve, pairs, config, seed, extractor)
        images = {
            "ends": ends,
            "linear": self._scaling.grey_levels(interpolation.linear.images).numpy(),
            "projected": self._scaling.grey_levels(interpolation.projected.images).numpy(),
        }
        result = write_interpolation(output_dir, result, images)
        for line in result_lines(result):
            report(line)
        if result["num_unmoved"]:
            warn(
                f"no denser point was found for {result['num_unmoved']} of "
                f"{result['num_inner_points']} points, which stayed on the linear path."
            )
        report(f"pictures and numbers: {output_dir}")
        return result

    def _kernel_score(self, pairs, extractor):
        """Distance of interpolations to the split's images, the interpolated ones left out."""
        used = tf.constant(sorted({index for pair in pairs for index in pair}), tf.int64)
        left = self._images.enumerate().filter(lambda index, _: tf.reduce_all(index != used))
        left = left.take(_MAX_REFERENCE_IMAGES)

        def features(pixels):
            pixels = spread_grey_levels(pixels, self._num_grey_levels)
            if extractor is not None:
                return extractor(pixels).features
            return pixels.reshape(len(pixels), -1) / 255.0 - 0.5

        references = features(np.stack([image.numpy() for _, image in left]))

        def score(values):
            pixels = self._scaling.grey_levels(values).numpy()
            return {"kernel_distance": squared_mean_discrepancy(features(pixels), references)}

        return score

    def _with_bits(self, row):
        """Log-densities of images as bits/dim, as `bin/evaluate.py` counts them."""
        nats = row.pop("log_prob_per_dim")
        return row | {"bits_per_dim": bits_per_dim(nats, 1, self._num_grey_levels)}

    def _result(self, interpolation, curve, pairs, config, seed, extractor):
        facts = {
            "dataset": self.dataset.name,
            "split": self._split,
            "checkpoint": self.checkpoint,
        }
        inner = {
            path: getattr(interpolation, path).inner().summary() for path in ("linear", "projected")
        }
        return {
            "command": _command(facts, pairs, interpolation, config, curve),
            **facts,
            "weights": self.weights,
            "pairs": [list(pair) for pair in pairs],
            "seed": seed,
            "image_shape": list(interpolation.linear.images.shape[2:]),
            "num_grey_levels": self._num_grey_levels,
            "num_points": len(interpolation.positions) - 2,
            **dataclasses.asdict(config),
            "num_inner_points": interpolation.log_prior_gain.size,
            "num_retried": int(interpolation.is_retried.sum()),
            "num_unmoved": interpolation.num_unmoved,
            "least_log_prior_gain": float(interpolation.log_prior_gain.min()),
            "inner_points": {path: self._with_bits(row) for path, row in inner.items()},
            "rows": path_rows(interpolation, pairs, self._num_grey_levels),
            "lambda_curve": [self._with_bits(row) for row in curve],
            "curve_features": "pixels" if extractor is None else extractor.name,
        }


def _command(facts, pairs, interpolation, config, curve):
    """The command line that repeats a run, but for where files are."""
    values = {
        **facts,
        "pairs": ",".join(f"{first}:{second}" for first, second in pairs),
        "num_points": len(interpolation.positions) - 2,
        **dataclasses.asdict(config),
        "lambda_curve": ",".join(f"{row['lambda']:g}" for row in curve),
    }
    return command_text("interpolate", {"train_dir": "TRAIN_DIR", **values})

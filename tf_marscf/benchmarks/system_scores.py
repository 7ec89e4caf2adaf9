"""KID and FID of the samples of several models, by one network of features."""

import dataclasses
import os

import numpy as np

from tf_marscf.data import collect_images, evaluation_pipeline
from tf_marscf.errors import InputError, first_line, warn
from tf_marscf.quality.label_classifier import label_classifier
from tf_marscf.quality.sample_quality import evaluate_sample_quality
from tf_marscf.sampling.sample_stream import SampleBatch

_BATCH_SIZE = 100
_LEAST = 2  # Images of either kind.


@dataclasses.dataclass(frozen=True)
class SystemScorer:
    """Scores samples against the held-out images.

    Attributes:
        extractor: the `FeatureExtractor`, or None: nothing can be scored.
        note: None, or why nothing can be scored.
        classifier: the facts of a `LabelClassifier`, or None for another network.
        dataset: the `ImageDataset`.
        num_reference_images: so many test images, the first ones, are compared with.
        config: a `SystemComparisonConfig`.
        warnings: those there were.
    """

    extractor: object
    note: str | None
    classifier: dict | None
    dataset: object
    num_reference_images: int
    config: object
    warnings: list = dataclasses.field(default_factory=list)

    @classmethod
    def from_config(cls, config, dataset, num_reference_images, directory, report):
        """The network that the config names, or else a classifier of the labels, trained now.

        Args:
            config: a `SystemComparisonConfig`.
            dataset: an `ImageDataset`.
            num_reference_images: held-out images.
            directory: where the classifier lies, or will.
            report: called with a line that says what it is.
        """
        others = (dataset, num_reference_images, config)
        if config.has_extractor:
            extractor = config.quality().make_extractor()
            text = extractor.describe_input(dataset.image_shape)
            report(f"KID and FID by {extractor.name}: images {text}")
            return cls(extractor, None, None, *others)
        os.makedirs(directory, exist_ok=True)
        path = os.path.join(
            directory, f"classifier_{config.seed}_{config.classifier_steps}_steps.keras"
        )
        try:
            classifier = label_classifier(dataset, config.classifier_steps, config.seed, path)
        except InputError as error:
            note = f"no KID and FID: no network is given, and {first_line(error)}"
            report(note)
            return cls(None, note, None, *others)
        report(
            f"KID and FID by a {classifier.extractor.name}: "
            f"{classifier.facts['accuracy']:.1%} of the test images right"
        )
        return cls(classifier.extractor, None, classifier.facts, *others)

    def warn_once(self, text):
        """Warns of what holds for all models, once."""
        if text not in self.warnings:
            self.warnings.append(text)
            warn(text)

    def score(self, images):
        """Entries "kid", "kid_standard_error" and "fid" of samples, uint8 [n, H, W, C].

        None where nothing can be scored, or fewer than two images are left.
        """
        if self.extractor is None or len(images) < _LEAST or self.num_reference_images < _LEAST:
            return {"kid": None, "kid_standard_error": None, "fid": None}
        batches = [
            SampleBatch(part, np.zeros(len(part), np.int64), 0)
            for part in np.split(images, range(_BATCH_SIZE, len(images), _BATCH_SIZE))
        ]
        references = self.dataset.test.take(self.num_reference_images)
        quality = evaluate_sample_quality(
            self.extractor,
            batches,
            len(images),
            (batch.numpy() for batch in evaluation_pipeline(references, _BATCH_SIZE)),
            self.num_reference_images,
            self.config.quality(),
            self.dataset.num_grey_levels,
            self.warn_once,
        )
        return {
            "kid": quality.kid.mean,
            "kid_standard_error": quality.kid.standard_error,
            "fid": quality.fid,
        }

    def facts(self, num_samples):
        """What is known of the scores, a dict that JSON can hold.

        "real_images" are the scores of as many training images: what a perfect model has.
        """
        num_images = min(num_samples, self.dataset.num_train_images)
        return {
            "extractor": None if self.extractor is None else self.extractor.name,
            "note": self.note,
            "classifier": self.classifier,
            "num_samples": num_samples,
            "num_reference_images": self.num_reference_images,
            "real_images": {
                "num_images": num_images,
                **self.score(collect_images(self.dataset.train, num_images)),
            },
        }

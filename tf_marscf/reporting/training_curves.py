"""What a training run logged, as curves."""

import dataclasses
import os

from tf_marscf.reporting.event_files import read_scalars

LOGS = "logs"
COLUMNS = ("split", "tag", "step", "value")


@dataclasses.dataclass(frozen=True)
class TrainingCurves:
    """Numbers over training steps.

    Attributes:
        train: dict from tag, as `TrainingLog` writes them, to a dict from step to number.
        validation: likewise.
        problems: sentences on what could not be read.
    """

    train: dict
    validation: dict
    problems: tuple = ()

    @classmethod
    def load(cls, train_dir):
        """Reads the TensorBoard logs of a training directory; no logs give no curves."""
        logs, problems = {}, []
        for split in ("train", "validation"):
            logs[split], found = read_scalars(os.path.join(train_dir, LOGS, split))
            problems += found
        return cls(**logs, problems=tuple(problems))

    def __bool__(self):
        return bool(self.train or self.validation)

    @property
    def last_step(self):
        """The last step that any curve has."""
        return max(
            step for curves in (self.train, self.validation) for v in curves.values() for step in v
        )

    def rows(self):
        """A dict with `COLUMNS` for each number."""
        return [
            dict(zip(COLUMNS, (split, tag, step, value), strict=True))
            for split in ("train", "validation")
            for tag, values in getattr(self, split).items()
            for step, value in values.items()
        ]

    def best_validation(self):
        """Step and bits/dim of the lowest validation value; None without any."""
        points = [
            (value, step) for values in self.validation.values() for step, value in values.items()
        ]
        return min(points)[::-1] if points else None

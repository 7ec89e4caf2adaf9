#!/usr/bin/env python
"""Scores a trained model: `python bin/evaluate.py --train_dir=runs/digits`."""

import pathlib
import sys

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    from tf_marscf.commands.evaluate import run

    run()

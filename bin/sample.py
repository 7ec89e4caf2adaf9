#!/usr/bin/env python
"""Draws samples of a trained model: `python bin/sample.py --train_dir=runs/digits`."""

import pathlib
import sys

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    from tf_marscf.commands.sample import run

    run()

#!/usr/bin/env python
"""Trains a mAR-SCF model: `python bin/train.py --flagfile=digits.flags`."""

import pathlib
import sys

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    from tf_marscf.commands.train import run

    run()

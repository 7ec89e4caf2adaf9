#!/usr/bin/env python
"""Interpolates between images: `python bin/interpolate.py --train_dir=runs/digits`."""

import pathlib
import sys

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    from tf_marscf.commands.interpolate import run

    run()

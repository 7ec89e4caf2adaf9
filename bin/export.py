#!/usr/bin/env python
"""Exports a trained model: `python bin/export.py --train_dir=runs/digits --output=exports`."""

import pathlib
import sys

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    from tf_marscf.commands.export import run

    run()

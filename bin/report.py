#!/usr/bin/env python
"""Puts all results of a model on one page: `python bin/report.py --train_dir=runs/digits`."""

import pathlib
import sys

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    from tf_marscf.commands.report import run

    run()

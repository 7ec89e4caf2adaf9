#!/usr/bin/env python
"""Imports published weights: `python bin/import_weights.py --input=FILE.pt --output=DIR`."""

import pathlib
import sys

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    from tf_marscf.commands.import_weights import run

    run()

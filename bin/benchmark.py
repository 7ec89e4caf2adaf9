#!/usr/bin/env python
"""Measures models: `python bin/benchmark.py NAME`, such as `speed`; --help names all."""

import pathlib
import sys

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    from tf_marscf.commands.benchmark import run

    run()

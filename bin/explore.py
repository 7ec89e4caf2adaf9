#!/usr/bin/env python
"""Shows a page to play with a model: `python bin/explore.py --model=runs/digits`."""

import pathlib
import sys

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    from tf_marscf.commands.explore import run

    run()

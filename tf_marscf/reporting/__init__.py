"""Reports of experiments: all results of a training directory on one page."""

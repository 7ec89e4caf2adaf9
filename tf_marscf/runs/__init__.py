"""Training directories: their config, checkpoints, data set and the digest of their weights."""

"""Benchmarks: speed, sampling time, and density over training, beside other models."""

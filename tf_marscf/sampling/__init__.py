"""Samples of trained models: streams, files and pictures."""

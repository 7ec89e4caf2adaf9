"""Evaluation of trained models: bits per dimension, sample quality and pictures of samples."""

"""Evaluation of trained models: bits per dimension, and everything else on one page of JSON."""

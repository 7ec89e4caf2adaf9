"""Interpolation between images, linear and projected to high density."""

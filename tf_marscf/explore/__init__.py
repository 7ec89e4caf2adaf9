"""A page to play with a model: samples, levels drawn again, paths, bits/dim of an image."""

"""Weights of other implementations: from a file to a model.

`weight_file` reads names and arrays, `published_architecture` infers the config from them,
`published_mappings` tells which of them each variable is made from, `published_weights` compares
and sets them, and `import_run` does all of it, and saves the model.
"""

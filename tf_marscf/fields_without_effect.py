"""Which fields of configs have no effect beside which values of others."""

# What only models with one value of another field have.
_FIELDS_OF = {
    ("coupling", "mixlogcdf"): (
        "num_blocks",
        "num_components",
        "num_heads",
        "dropout_rate",
        "recompute_couplings",
    ),
    ("coupling", "residual"): (
        "residual_coefficient",
        "residual_num_terms",
        "residual_num_probes",
    ),
    ("prior", "mar"): (
        "prior_network",
        "prior_channels_per_step",
        "prior_start",
        "prior_start_images",
        "prior_family",
        "prior_hidden_channels",
        "prior_num_layers",
        "prior_kernel_sizes",
        "prior_dilations",
        "prior_code_channels",
        "prior_code_hidden_channels",
        "recompute_prior",
    ),
    ("prior_network", "conv_lstm"): ("prior_start", "recompute_prior"),
}
# What models with one value of another field lack.
_FIELDS_NOT_OF = {
    ("prior_num_layers", 0): ("prior_hidden_channels", "prior_dilations"),
    ("coupling", "residual"): ("max_log_scale",),
}


def fields_without_effect(options):
    """The fields, of models and of training them, that have no effect with some values.

    Args:
        options: a dict from names of fields to values.

    Returns:
        A dict from the field's name to the flag because of which, such as "--prior=gaussian".
    """
    without = [
        (field, name)
        for (field, value), names in _FIELDS_NOT_OF.items()
        for name in names
        if options.get(field) == value
    ]
    without += [
        (field, name)
        for (field, value), names in _FIELDS_OF.items()
        for name in names
        if options.get(field, value) != value
    ]
    return {name: f"--{field}={options[field]}" for field, name in without}

"""The commands: what each takes, checks and calls."""

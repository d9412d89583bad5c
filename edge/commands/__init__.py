"""The commands beside ``run``: each module has one ``run(options) -> exit code``."""

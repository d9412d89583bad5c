"""The command line of ``vad-export``, theme by theme; ``export.cli`` puts it together."""

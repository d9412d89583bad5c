"""One module per command: it adds its arguments to the parser and does what they say."""

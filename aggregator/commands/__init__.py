"""Commands that ask or prepare; ``aggregator.serve`` is the one that works."""

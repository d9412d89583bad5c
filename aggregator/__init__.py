"""The aggregator: combines what the hosts of a federation learnt, and sees no footage."""

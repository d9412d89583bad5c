"""What a camera host runs: streams in, anomaly alerts out."""

__version__ = "0.1.0"

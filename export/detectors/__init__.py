"""Detectors out of Ultralytics checkpoints: loaded offline, exported, compared, then written.

Ultralytics and its weights are AGPL-3.0: nothing outside this package imports it, and every file
that is made of it says so.
"""

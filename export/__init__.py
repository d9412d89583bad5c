"""``vad-export``: large teachers into small students, students into what a camera host runs.

The only part of the project that may import Ultralytics (AGPL-3.0), open_clip and timm. What it
writes is read by ``edge`` without any of them.
"""

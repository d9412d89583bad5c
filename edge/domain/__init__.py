"""The nouns of the system: frozen values, numpy only.

A frame's life: ``Frame → Detections → Tracks → Segment → Features → Score → Alert``.
"""

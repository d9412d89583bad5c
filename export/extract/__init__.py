"""From videos to segment features, on the code path of a camera host, for several backbones.

A segment is described while its video is decoded and watched once, by every backbone alike; so the
folders of one run hold the same segments of the same clips. What is scored live is computed by
these very classes: ``read_frames``, ``Perception``, ``SceneEmbedding``, ``Extractor``.
"""

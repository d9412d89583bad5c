"""What is normal for a camera, and how far from it a frame is.

Learning: ``NormalFootage`` collects features, ``learn_camera`` turns them into a ``CameraModel``,
``store`` keeps it. Scoring: ``CameraScorer`` takes a frame's features and gives its score. In
between, per feature group: standardise, measure the distance to normality, calibrate it to decades
of surprise; then fuse the groups and smooth along tracks and time, causally.
"""

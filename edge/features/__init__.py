"""What is measured of objects and of the picture, in physical units.

Each group has a versioned description (``FeatureSpec``): values of two versions never mix.
"""

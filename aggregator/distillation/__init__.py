"""Adaptive semantic-enhanced distillation: public videos and their captions improve clusters.

FedVAD (Qi et al., ECCV 2024), section 3.3. ``selection`` finds the public videos that look like a
cluster's footage, ``teacher`` learns from them and their captions, ``distil`` hands that on to the
cluster's averaged model; ``improve`` does so for all clusters, and ``worker`` in a process of its
own, which alone needs torch.
"""

"""DAKD: a teacher that looks through many backbones, and the student of one that it teaches.

Dalvi et al., "Distilling Aggregated Knowledge for Weakly-Supervised Video Anomaly Detection".
``features`` reads what the backbones see, ``network`` is what learns, ``losses`` what it learns
by, ``course`` the loop of both stages, ``teach`` the stages, ``judge`` the figures, ``ablation``
the paper's tables, ``folder`` what is stored. Only video labels are learnt from; frame labels
judge. The last epoch counts, never the best one.
"""

"""The student: the one small network that a camera host runs, trains, sends and receives.

``spec`` says which network, ``student`` builds it (torch), ``export`` writes its ONNX graph
(torch), ``artifact`` is the folder that travels between programs and is read without torch, and
``session`` runs it. The heads, one file each, share a contract (``base``): segment features
(B, L, d) go in, an anomaly score and a penultimate vector per segment come out.
"""

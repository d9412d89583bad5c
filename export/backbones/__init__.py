"""Backbones out of the libraries that publish them, as folders that a host runs without torch.

Three families behind one port (``original.Original``): image towers of open_clip, image networks of
timm and video networks of torchvision. torchvision has no I3D: ``r3d_18``, ``mc3_18`` and
``r2plus1d_18``, which filter space and time together like it, stand in its place.

Each is loaded with published weights, with those of a file, or with random ones for tests
(``weights``), written as ONNX with a free number of pictures (``graph``), made smaller on demand,
and held against torch on pictures before anybody gets to see it (``make``).
"""

"""Finds objects in frames and follows them.

``Perception.observe`` is the way in. Decisions that bind this room:

* Everything but the network works on a picture at most 320 px wide, about 1 ms a frame. Colour is
  looked at as well, at half the size (``sheet``): it is free in the decoder's planes, tells people
  from a background as bright as they are, and tells objects from their shadows.
* The empty scene is learnt by a model of one mode per pixel (``background``), not MOG2 or KNN.
* The tracker is written here from ByteTrack's paper (``tracker``): libraries that offer it bring
  torch or scipy along, and take several times as long.
* A network looks where something moves that is not explained yet (``gate``); in between, boxes go
  where their pixels go (``follow``).
* One ONNX Runtime thread per session and no spinning (``session``): cameras share the cores.
"""

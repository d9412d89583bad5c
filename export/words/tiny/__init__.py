"""A small image and text model of our own, trained on generated streets.

The generator knows what every object does (``acts``), so captions cost nothing (``captions``).
Objects are cut as a host cuts them, from true boxes and from those that its motion detector finds
(``film``). Two towers learn from pairs (``towers``, ``pairing``), then the temporal part from tubes
of crops. Streets of other seeds than it was trained on judge it (``judge``).

Its world is small: seven acts and no others. It proves the way of words from end to end, at a speed
that a test can bear; for real cameras there is CLIP, through the same code.
"""

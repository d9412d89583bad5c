"""How the participants' updates become the next model: policy, without a word of transport.

``port`` says what a strategy is, ``registry`` makes one by name. Strategies that need only a sum
(``averaging``, ``personal``, ``adaptive``, ``scaffold``, ``clipping``) read each update once and
keep O(model) bytes; those that compare updates (``coordinates``, ``krum``, ``geometric_median``,
and clipping to the median norm) keep all of a round. ``fvcc`` keeps a model for each cluster of
participants that resemble each other, ``fedpac`` a head for each participant. All are frozen
dataclasses whose fields are the operator's options; what a strategy remembers between rounds is a
value that goes in and out.

The numbers are those of Flower 1.42 on the same updates (``tests/golden/flower``); each module
says where Flower departs from the paper and which of them is followed. Flower itself is not used:
it brings fifty packages and needs all updates of a round in memory.
"""

"""Proof that an exported student is the one that was trained, and what it costs.

``golden`` chooses the segments that travel along, ``parity`` holds networks against torch,
``folder`` examines a whole folder on every provider, ``footage`` scores videos on the code path of
a camera host, ``comparison`` two exports against each other, ``cost`` takes their milliseconds.
"""

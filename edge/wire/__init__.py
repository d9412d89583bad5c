"""Bytes to types and back: one door for each kind of message, and the broker as a port.

Nothing else in the system sees a raw payload. Decoding is strict: bytes from outside either become
a valid value or raise ``MalformedMessageError``; no NaN, no oversized text, no unknown words.
"""

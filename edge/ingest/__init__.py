"""Cameras in: sources, reconnection, clock, sampling, masks, health, mailboxes.

Offline work reads `feed.read_frames`; a live process gives each camera a `feed.CameraFeed`, which
ends in one mailbox of a `latest.Mailroom`. `open.open_source` makes a source from plain values.

Decisions that bind this room: a source opens one connection, `supervise` retries. FFmpeg's own
read timeout notices a server that hangs without closing (4.0 s measured with 4 s set), so there
is no second watchdog; only what a feed *shows* is checked against the age of its last picture.
Frames of an unhealthy camera are withheld, not flagged: nobody downstream can forget to look.
Only `redact` sees an address with its password, and no error of FFmpeg's is chained.
"""

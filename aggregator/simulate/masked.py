"""Secure aggregation with everybody in one process: the real messages, none of them lost."""

from __future__ import annotations

from collections.abc import Mapping

from aggregator.unmasking import UnmaskingRound
from edge.domain.fixed_point import Words
from edge.federation.masking import MaskingRound
from edge.wire.masks import Keys, Shares, Unmask, encode_masked, least_threshold

SESSION = "simulation.1.1"


def masked_sum(words: Mapping[str, Words]) -> tuple[Words, int]:
    """The sum modulo 2^32 of what two or more participants encoded, and all bytes up for it."""
    size = len(next(iter(words.values())))
    server = UnmaskingRound(SESSION, threshold=least_threshold(len(words)), size=size)
    rounds = {name: MaskingRound(name, SESSION) for name in words}
    bytes_up = 0
    for name, each in rounds.items():
        keys = each.keys()
        bytes_up += _size(keys)
        server.add_keys(name, keys)
    roster = server.roster()
    for name, each in rounds.items():
        shares = each.shares(roster)
        bytes_up += _size(shares)
        server.add_shares(name, shares)
    server.close_shares()
    for name, each in rounds.items():
        masked = each.mask(words[name], server.shares_for(name))
        bytes_up += len(encode_masked(masked))
        server.add_masked(name, masked)
    survivors = server.survivors()
    for name, each in rounds.items():
        answer = each.unmask(survivors)
        bytes_up += _size(answer)
        server.add_unmask(name, answer)
    return server.total(), bytes_up


def _size(message: Keys | Shares | Unmask) -> int:
    return len(message.model_dump_json())

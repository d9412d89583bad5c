"""Secure aggregation, the aggregator's side: it adds what it cannot read, then unmasks the sum.

Bonawitz et al., CCS 2017; ``edge.federation.masking`` is the other side and says how masks are
made. A session goes through four stages; a message of another stage, session or sender is refused
and changes nothing. Memory is one sum, however many take part.

::

    add_keys …    roster()     who takes part
    add_shares …  shares_for() who can be masked: the rest has dropped out without loss
    add_masked …  survivors()  whose updates are in the sum
    add_unmask …  total()      the sum, once as many as the threshold have answered

There are no secrets and no chance in here: whoever keeps the messages in their order and gives
them to a new object after a crash is where it was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import IntEnum

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from edge.domain.fixed_point import Words
from edge.domain.shamir import combine
from edge.errors import ConfigError, MalformedMessageError, PrivacyError
from edge.wire.mask_stream import add_masks, check_public_key, commitment, pair_seed, pair_sign
from edge.wire.masks import (
    Keys,
    Masked,
    Passed,
    PublicKeys,
    Roster,
    Shares,
    Survivors,
    Unmask,
    least_threshold,
)


class Stage(IntEnum):
    """What the aggregator waits for."""

    KEYS = 0
    SHARES = 1
    MASKED = 2
    UNMASK = 3


def check_combination(strategy: str, *, strategy_sees_updates: bool, secure: bool) -> None:
    """ConfigError where ``strategy`` must look at single updates and masks forbid just that."""
    if secure and strategy_sees_updates:
        raise ConfigError(
            f"strategy {strategy} compares the participants' updates with each other, and secure "
            "aggregation shows the aggregator their sum alone: choose a strategy that needs no "
            "more than the mean (fedavg, fedprox, fedavgm, fedadam, fedyogi), or turn "
            "secure aggregation off"
        )


class UnmaskingRound:
    """One session on the aggregator; ``size`` words in an encoded update."""

    def __init__(self, session: str, *, threshold: int, size: int) -> None:
        """``threshold``: how many must stay to the end; more than half of those who begin."""
        self.stage = Stage.KEYS
        self._session = session
        self._threshold = threshold
        self._size = size
        self._keys: dict[str, PublicKeys] = {}
        self._shares: dict[str, Shares] = {}  # by sender: their senders are masked pairwise
        self._survivors: list[str] = []
        self._answers: dict[str, Unmask] = {}
        self._total: Words = np.zeros(size, np.uint32)
        self._came: tuple[Collection[str], ...] = (  # by stage: whoever misses one has dropped out
            self._keys,
            self._shares,
            self._survivors,
            self._answers,
        )

    def add_keys(self, participant: str, message: Keys) -> None:
        """Note who would take part; MalformedMessageError where it is too late or said twice."""
        self._expect(Stage.KEYS, participant, message.session)
        check_public_key(message.public.mask_key)
        check_public_key(message.public.share_key)
        self._keys[participant] = message.public

    def roster(self) -> Roster:
        """Close the list of those who take part; for all of them.

        PrivacyError where they are too few, or so many that the threshold is half of them or less.
        """
        self._close(Stage.KEYS)
        if self._threshold < least_threshold(len(self._keys)):
            raise PrivacyError(
                f"session {self._session}: a threshold of {self._threshold} with "
                f"{len(self._keys)} participants lets two groups unmask different sums; "
                f"{least_threshold(len(self._keys))} is the least"
            )
        return Roster(session=self._session, threshold=self._threshold, public=self._keys)

    def add_shares(self, participant: str, message: Shares) -> None:
        """Keep encrypted shares for their receivers."""
        self._expect(Stage.SHARES, participant, message.session)
        if message.sealed.keys() != self._keys.keys() - {participant}:
            raise MalformedMessageError(f"shares of {participant}: not one for each peer")
        self._shares[participant] = message

    def close_shares(self) -> None:
        """Go on with those whose shares came; PrivacyError where they are too few."""
        self._close(Stage.SHARES)

    def shares_for(self, participant: str) -> Passed:
        """What the others encrypted for ``participant``, who must have sent shares itself."""
        sealed = {
            sender: message.sealed[participant]
            for sender, message in self._shares.items()
            if sender != participant
        }
        return Passed(session=self._session, sealed=sealed)

    def add_masked(self, participant: str, message: Masked) -> None:
        """Add a masked update to the sum."""
        self._expect(Stage.MASKED, participant, message.session)
        if len(message.words) != self._size:
            raise MalformedMessageError(
                f"masked update of {participant}: {len(message.words)} words, not {self._size}"
            )
        self._total += message.words
        self._survivors.append(participant)

    def survivors(self) -> Survivors:
        """Close the sum; PrivacyError where fewer are in it than may be unmasked."""
        self._close(Stage.MASKED)
        return Survivors(session=self._session, participants=tuple(sorted(self._survivors)))

    def add_unmask(self, participant: str, message: Unmask) -> None:
        """Note the shares that a survivor reveals."""
        self._expect(Stage.UNMASK, participant, message.session)
        stayed = set(self._survivors)
        lost = self._shares.keys() - stayed
        if message.seed_shares.keys() != stayed or message.key_shares.keys() != lost:
            raise MalformedMessageError(f"unmask of {participant}: not the shares asked for")
        self._answers[participant] = message

    @property
    def complete(self) -> bool:
        """Whether ``total`` can be had."""
        return self.stage is Stage.UNMASK and len(self._answers) >= self._threshold

    def total(self) -> Words:
        """The sum of the survivors' encoded updates, modulo 2^32; see ``FixedPoint.decode_mean``.

        PrivacyError where too few have answered; MalformedMessageError names the participant whose
        secret the revealed shares do not restore.
        """
        if not self.complete:
            raise PrivacyError(self._too_few(len(self._answers)))
        masks = [(self._seed(name), -1) for name in self._survivors]
        for lost in sorted(self._shares.keys() - set(self._survivors)):
            secret = self._mask_secret(lost)
            # a survivor added pair_sign(survivor, lost) times this mask; the opposite removes it
            masks += [
                (self._pair(secret, lost, name), pair_sign(lost, name)) for name in self._survivors
            ]
        total = self._total.copy()
        add_masks(total, masks)
        return total

    def _seed(self, owner: str) -> bytes:
        seed = self._restored(owner, {n: a.seed_shares[owner] for n, a in self._answers.items()})
        if commitment(seed, self._session, owner) != self._shares[owner].commitment:
            raise self._not_restored(owner)
        return seed

    def _mask_secret(self, owner: str) -> X25519PrivateKey:
        raw = self._restored(owner, {n: a.key_shares[owner] for n, a in self._answers.items()})
        secret = X25519PrivateKey.from_private_bytes(raw)
        if secret.public_key().public_bytes_raw() != self._keys[owner].mask_key:
            raise self._not_restored(owner)
        return secret

    def _restored(self, owner: str, shares: Mapping[str, bytes]) -> bytes:
        place = {name: x for x, name in enumerate(sorted(self._keys), start=1)}
        chosen = sorted(shares)[: self._threshold]
        try:
            return combine({place[name]: shares[name] for name in chosen})
        except ValueError:
            raise self._not_restored(owner) from None

    def _pair(self, secret: X25519PrivateKey, lost: str, survivor: str) -> bytes:
        public = self._keys[survivor].mask_key
        return pair_seed(secret, public, self._session, lost, survivor)

    def _expect(self, stage: Stage, participant: str, session: str) -> None:
        """Refuse a message that is not due."""
        who = f"{stage.name.lower()} of {participant}"
        if session != self._session:
            raise MalformedMessageError(f"{who}: session {session}, now is {self._session}")
        if stage is not self.stage:
            raise MalformedMessageError(f"{who}: too late or too early: now {self.stage.name}")
        if participant in self._came[stage]:
            raise MalformedMessageError(f"{who}: came before; the first one counts")
        if stage > Stage.KEYS and participant not in self._came[stage - 1]:
            raise MalformedMessageError(f"{who}: has missed an earlier stage of this session")

    def _close(self, stage: Stage) -> None:
        if self.stage is not stage:
            raise PrivacyError(f"session {self._session}: {stage.name} is over, or still to come")
        if len(self._came[stage]) < self._threshold:
            raise PrivacyError(self._too_few(len(self._came[stage])))
        self.stage = Stage(stage + 1)

    def _too_few(self, count: int) -> str:
        return (
            f"secure aggregation, session {self._session}: {count} participants in stage "
            f"{self.stage.name}, {self._threshold} are needed: nothing can be unmasked; begin "
            "the round again, with a longer deadline or a lower threshold"
        )

    def _not_restored(self, owner: str) -> MalformedMessageError:
        return MalformedMessageError(
            f"session {self._session}: the revealed shares do not restore the secret of {owner}: "
            "it shared out another one, or somebody revealed a false share"
        )

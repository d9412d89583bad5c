"""Secure aggregation, a participant's side: the aggregator learns the sum of all updates alone.

Bonawitz et al., Practical Secure Aggregation for Privacy-Preserving Machine Learning, CCS 2017,
the protocol against a server that follows it (section 4, without its signatures: the envelope
signs). Participant u adds to its encoded update, modulo 2^32,

    PRG(b_u)  +  Σ_{v > u} PRG(s_uv)  -  Σ_{v < u} PRG(s_uv)

s_uv is agreed with v, so the pairwise masks vanish from the sum. For those who drop out, the
secret half of their mask key is restored from shares; the self-mask b_u, restored for those who
stayed, keeps an update hidden that arrives after its sender was given up.

::

    keys()                  →  Keys       two public keys, new in every session
    shares(Roster)          →  Shares     t-of-n shares of b_u and of the mask key, encrypted
    mask(words, Passed)     →  Masked
    unmask(Survivors)       →  Unmask     of each peer: the share of b_v OR of its key, never both

The secrets live in this object and nowhere else: a host that is killed has dropped out.

What it does not do: the keys of peers are believed as the aggregator relays them, so one that
actively cheats (invents participants) can learn an update; noise protects against that one.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from edge.domain.fixed_point import Words
from edge.domain.shamir import SECRET_BYTES, SHARE_BYTES, split
from edge.errors import MalformedMessageError, PrivacyError
from edge.wire.mask_stream import add_masks, commitment, pair_seed, pair_sign, share_cipher_key
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

_ONCE = bytes(12)  # the nonce of a key that encrypts one message


class MaskingRound:
    """One session of one participant; the four steps are taken once each, in order."""

    def __init__(self, participant: str, session: str, *, min_participants: int = 2) -> None:
        """``min_participants``: this host takes part in no sum of fewer, whoever asks."""
        self._own = participant
        self._session = session
        self._min = min_participants
        self._threshold = 0  # of the roster
        self._mask_secret = X25519PrivateKey.generate()
        self._share_secret = X25519PrivateKey.generate()
        self._seed = secrets.token_bytes(SECRET_BYTES)  # b_u
        self._peers: dict[str, PublicKeys] = {}  # of the roster, without us
        self._held: dict[str, tuple[bytes, bytes]] = {}  # whose → shares of seed and key
        self._masked = False
        self._answered: frozenset[str] | None = None

    def keys(self) -> Keys:
        """Our public keys."""
        return Keys(session=self._session, public=self._public())

    def shares(self, roster: Roster) -> Shares:
        """Share our secrets out to everybody on the roster; the last chance not to take part.

        MalformedMessageError where the roster is not one of this session, PrivacyError where it
        asks for too little company.
        """
        self._check_roster(roster)
        self._threshold = roster.threshold
        self._peers = {name: keys for name, keys in roster.public.items() if name != self._own}
        names = sorted(roster.public)
        seeds = split(self._seed, self._threshold, len(names))
        keys = split(self._mask_secret.private_bytes_raw(), self._threshold, len(names))
        parts = dict(zip(names, zip(seeds, keys, strict=True), strict=True))
        self._held[self._own] = parts.pop(self._own)
        return Shares(
            session=self._session,
            commitment=commitment(self._seed, self._session, self._own),
            sealed={name: self._sealed(name, seed + key) for name, (seed, key) in parts.items()},
        )

    def mask(self, words: Words, received: Passed) -> Masked:
        """``words`` (see ``FixedPoint.encode``) under the masks with all who sent us shares.

        MalformedMessageError where a share was tampered with or too few came. Called once: two
        vectors under the same masks would show their difference.
        """
        self._check_session(received.session)
        if self._masked or not self._peers:
            raise PrivacyError("masks are used once, and after the shares were given out")
        if len(received.sealed) + 1 < self._threshold:
            raise MalformedMessageError(
                f"shares of {len(received.sealed)} peers: {self._threshold - 1} are needed"
            )
        opened = {
            sender: self._opened(sender, sealed) for sender, sealed in received.sealed.items()
        }
        self._held |= opened
        self._masked = True
        masked = words.copy()
        add_masks(masked, [(self._seed, 1), *map(self._pair_mask, opened)])
        return Masked(self._session, masked)

    def unmask(self, survivors: Survivors) -> Unmask:
        """Of each peer one share: of a survivor's self-mask, of a lost one's key.

        PrivacyError where it was answered for other survivors: both answers together would
        unmask a single update. MalformedMessageError where the list cannot be right.
        """
        self._check_session(survivors.session)
        stayed = frozenset(survivors.participants)
        if self._answered is not None and self._answered != stayed:
            raise PrivacyError("survivors were named before, and others: both shares stay here")
        if not self._masked or not {self._own} <= stayed <= self._held.keys():
            raise MalformedMessageError("survivors without us, or who gave us no shares")
        if len(stayed) < self._threshold:
            raise MalformedMessageError(
                f"{len(stayed)} survivors: a sum of fewer than {self._threshold} is not unmasked"
            )
        self._answered = stayed
        lost = self._held.keys() - stayed
        return Unmask(
            session=self._session,
            seed_shares={name: self._held[name][0] for name in sorted(stayed)},
            key_shares={name: self._held[name][1] for name in sorted(lost)},
        )

    def _check_roster(self, roster: Roster) -> None:
        self._check_session(roster.session)
        keys = [key for one in roster.public.values() for key in (one.mask_key, one.share_key)]
        if self._peers:
            raise PrivacyError("the shares were given out already, for another roster")
        if roster.public.get(self._own) != self._public() or len(set(keys)) != len(keys):
            raise MalformedMessageError(
                "a roster without our keys, or with a key that stands twice"
            )
        least = max(self._min, least_threshold(len(roster.public)))
        if not least <= roster.threshold <= len(roster.public):
            raise PrivacyError(
                f"{roster.threshold} of {len(roster.public)} participants would unmask the sum: "
                f"this host asks for {least} or more"
            )

    def _public(self) -> PublicKeys:
        return PublicKeys(
            mask_key=self._mask_secret.public_key().public_bytes_raw(),
            share_key=self._share_secret.public_key().public_bytes_raw(),
        )

    def _check_session(self, session: str) -> None:
        if session != self._session:
            raise MalformedMessageError(f"a message of session {session}, not {self._session}")

    def _pair_mask(self, peer: str) -> tuple[bytes, int]:
        public = self._peers[peer].mask_key
        seed = pair_seed(self._mask_secret, public, self._session, self._own, peer)
        return seed, pair_sign(self._own, peer)

    def _sealed(self, receiver: str, shares: bytes) -> bytes:
        key = share_cipher_key(
            self._share_secret, self._peers[receiver].share_key, self._session, self._own, receiver
        )
        return ChaCha20Poly1305(key).encrypt(_ONCE, shares, None)

    def _opened(self, sender: str, sealed: bytes) -> tuple[bytes, bytes]:
        if sender not in self._peers:
            raise MalformedMessageError(f"shares of {sender}, who is not on the roster")
        key = share_cipher_key(
            self._share_secret, self._peers[sender].share_key, self._session, sender, self._own
        )
        try:
            shares = ChaCha20Poly1305(key).decrypt(_ONCE, sealed, None)
        except InvalidTag:
            raise MalformedMessageError(f"the shares of {sender} were tampered with") from None
        return shares[:SHARE_BYTES], shares[SHARE_BYTES:]

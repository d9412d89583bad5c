"""Both ends together: what the aggregator learns, and what it never learns."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from aggregator.unmasking import UnmaskingRound
from edge.domain.fixed_point import FixedPoint, size_of
from edge.domain.weights import Weights, shapes_of
from edge.errors import MalformedMessageError, PrivacyError
from edge.federation.masking import MaskingRound
from edge.wire.masks import (
    Passed,
    Survivors,
    decode_masked,
    encode_masked,
    least_threshold,
)
from edge.wire.rounds import WireModel, decode_message

SESSION = "site.3.1"
NAMES = ("attic", "door", "hall", "lane", "yard", "zoo")


def sent(message: WireModel) -> WireModel:
    """As the other end reads it."""
    return decode_message(message.model_dump_json().encode(), type(message))


@dataclass
class Session:
    """Both ends, up to and including the masked updates of ``stayed``."""

    hosts: dict[str, MaskingRound]
    aggregator: UnmaskingRound
    survivors: Survivors


def keyed(names: Collection[str], threshold: int, size: int = 1):
    hosts = {name: MaskingRound(name, SESSION) for name in names}
    aggregator = UnmaskingRound(SESSION, threshold=threshold, size=size)
    for name, host in hosts.items():
        aggregator.add_keys(name, sent(host.keys()))
    return hosts, aggregator


def masked_session(
    words: dict[str, np.ndarray],
    *,
    threshold: int,
    shared: Collection[str] | None = None,
    stayed: Collection[str] | None = None,
) -> Session:
    shared = words.keys() if shared is None else shared
    stayed = shared if stayed is None else stayed
    size = len(next(iter(words.values())))
    hosts, aggregator = keyed(words, threshold, size)
    roster = sent(aggregator.roster())
    for name in shared:
        aggregator.add_shares(name, sent(hosts[name].shares(roster)))
    aggregator.close_shares()
    for name in stayed:
        masked = hosts[name].mask(words[name], sent(aggregator.shares_for(name)))
        aggregator.add_masked(name, decode_masked(encode_masked(masked), size=size))
    return Session(hosts, aggregator, sent(aggregator.survivors()))


def total(session: Session, answering: Collection[str]) -> np.ndarray:
    for name in answering:
        session.aggregator.add_unmask(name, sent(session.hosts[name].unmask(session.survivors)))
    return session.aggregator.total()


def random_words(names: Collection[str], size: int = 50) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.integers(0, 2**32, size, dtype=np.uint32) for name in names}


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_the_sum_is_that_of_those_who_stayed_whoever_drops_out_and_when(data):
    names = NAMES[: data.draw(st.integers(2, 6))]
    threshold = data.draw(st.integers(least_threshold(len(names)), len(names)))

    def some_of(group):
        count = data.draw(st.integers(threshold, len(group)))
        return data.draw(st.permutations(sorted(group)))[:count]

    shared = some_of(names)
    stayed = some_of(shared)
    words = random_words(names)
    session = masked_session(words, threshold=threshold, shared=shared, stayed=stayed)
    plain = np.sum([words[name] for name in stayed], axis=0, dtype=np.uint32)
    np.testing.assert_array_equal(total(session, some_of(stayed)), plain)


def test_the_weighted_mean_of_deltas_comes_back_within_the_stated_error():
    rng = np.random.default_rng(1)
    deltas: dict[str, Weights] = {
        name: {"w": rng.uniform(-1, 1, (300, 7)).astype(np.float32)} for name in NAMES
    }
    examples = dict(zip(NAMES, (3, 50, 100, 7, 60, 9), strict=True))
    coding = FixedPoint(1.0, participants=len(NAMES), max_examples=100)
    words = {name: coding.encode(deltas[name], examples[name]) for name in NAMES}
    stayed = NAMES[1:5]
    session = masked_session(words, threshold=4, stayed=stayed)
    shapes = shapes_of(deltas["door"])
    assert len(words["door"]) == size_of(shapes)
    mean, count = coding.decode_mean(total(session, stayed), shapes)
    assert count == sum(examples[name] for name in stayed)
    plain = np.average(
        [np.float64(deltas[n]["w"]) for n in stayed], axis=0, weights=[examples[n] for n in stayed]
    )
    assert np.abs(mean["w"] - plain).max() <= coding.error_bound(4, count) + 2.0**-24


def test_a_masked_update_looks_like_uniform_noise():
    """Chi-square over 256 values of each byte; a plain vector of zeros fails it by far."""
    size = 1 << 16
    words = {name: np.zeros(size, np.uint32) for name in NAMES[:3]}
    hosts, aggregator = keyed(words, 2, size)
    roster = aggregator.roster()
    for name, host in hosts.items():
        aggregator.add_shares(name, host.shares(roster))
    aggregator.close_shares()
    masked = [host.mask(words[n], aggregator.shares_for(n)).words for n, host in hosts.items()]
    limit = chi2.ppf(1 - 1e-6, df=255)
    for vector in [*masked, masked[0] + masked[1], masked[0] - masked[1]]:
        for byte in vector.view(np.uint8).reshape(-1, 4).T:
            counts = np.bincount(byte, minlength=256)
            assert ((counts - size / 256) ** 2 / (size / 256)).sum() < limit


def test_below_the_threshold_each_stage_says_what_is_missing():
    words = random_words(NAMES[:3])
    _, aggregator = keyed(NAMES[:2], 3)
    with pytest.raises(PrivacyError, match=r"2 participants in stage KEYS, 3 are needed"):
        aggregator.roster()
    with pytest.raises(PrivacyError, match=r"2 participants in stage SHARES, 3 are needed"):
        masked_session(words, threshold=3, shared=NAMES[:2])
    with pytest.raises(PrivacyError, match=r"1 participants in stage MASKED, 2 are needed"):
        masked_session(words, threshold=2, stayed=NAMES[:1])
    session = masked_session(words, threshold=2)
    with pytest.raises(PrivacyError, match=r"1 participants in stage UNMASK, 2 are needed"):
        total(session, NAMES[:1])
    assert not session.aggregator.complete


def test_of_each_peer_one_kind_of_share_is_revealed_and_never_both():
    words = random_words(NAMES)
    for count in range(4, 7):
        for stayed in combinations(NAMES, count):
            session = masked_session(words, threshold=4, stayed=stayed)
            answer = session.hosts[stayed[0]].unmask(session.survivors)
            assert answer.seed_shares.keys() == set(stayed)
            assert answer.key_shares.keys() == set(NAMES) - set(stayed)


def test_survivors_named_anew_get_no_second_answer():
    session = masked_session(random_words(NAMES), threshold=4)
    host = session.hosts["door"]
    first = host.unmask(session.survivors)
    assert host.unmask(session.survivors) == first  # a repeated question is answered alike
    fewer = Survivors(session=SESSION, participants=NAMES[:5])
    with pytest.raises(PrivacyError, match="named before"):
        host.unmask(fewer)


@pytest.mark.parametrize(
    ("participants", "why"),
    [
        (NAMES[2:], "without us"),
        ((*NAMES[:4], "stranger"), "without us, or"),
        (NAMES[:3], "fewer than 4"),
    ],
)
def test_a_list_of_survivors_that_cannot_be_right_is_refused(participants, why):
    session = masked_session(random_words(NAMES), threshold=4)
    with pytest.raises(MalformedMessageError, match=why):
        session.hosts["door"].unmask(Survivors(session=SESSION, participants=participants))


def changed(messages: dict[str, bytes], name: str) -> dict[str, bytes]:
    broken = bytearray(messages[name])
    broken[0] ^= 1
    return {**messages, name: bytes(broken)}


def test_a_share_that_was_tampered_with_on_its_way_is_refused():
    hosts, aggregator = keyed(NAMES[:3], 2)
    roster = aggregator.roster()
    for name, host in hosts.items():
        aggregator.add_shares(name, host.shares(roster))
    aggregator.close_shares()
    passed = aggregator.shares_for("attic")
    for name in ("door", "hall"):
        tampered = Passed(session=SESSION, sealed=changed(passed.sealed, name))
        with pytest.raises(MalformedMessageError, match=f"shares of {name} were tampered"):
            hosts["attic"].mask(np.zeros(1, np.uint32), tampered)
    swapped = {"door": passed.sealed["hall"], "hall": passed.sealed["door"]}
    with pytest.raises(MalformedMessageError, match="tampered"):
        hosts["attic"].mask(np.zeros(1, np.uint32), Passed(session=SESSION, sealed=swapped))


@pytest.mark.parametrize("kind", ["seed_shares", "key_shares"])
def test_a_false_share_is_noticed_and_never_a_wrong_sum(kind):
    session = masked_session(random_words(NAMES[:4]), threshold=3, stayed=NAMES[:3])
    for name in NAMES[:3]:
        answer = session.hosts[name].unmask(session.survivors)
        if name == "door":
            shares = getattr(answer, kind)
            whose = sorted(shares)[0]
            low = bytearray(shares[whose])
            low[-1] ^= 1
            answer = answer.model_copy(update={kind: {**shares, whose: bytes(low)}})
        session.aggregator.add_unmask(name, answer)
    with pytest.raises(MalformedMessageError, match=f"do not restore the secret of {whose}"):
        session.aggregator.total()


def test_a_participant_insists_on_company_and_on_its_own_keys():
    hosts, aggregator = keyed(NAMES[:4], 3)
    roster = aggregator.roster()
    lonely = roster.model_copy(update={"threshold": 2})
    with pytest.raises(PrivacyError, match="asks for 3"):
        hosts["door"].shares(lonely)
    picky = MaskingRound("door", SESSION, min_participants=4)
    public = {**roster.public, "door": picky.keys().public}
    with pytest.raises(PrivacyError, match="asks for 4"):
        picky.shares(roster.model_copy(update={"public": public}))
    other = MaskingRound("door", SESSION)
    with pytest.raises(MalformedMessageError, match="without our keys"):
        other.shares(roster)
    twice = {**roster.public, "hall": roster.public["lane"]}
    with pytest.raises(MalformedMessageError, match="stands twice"):
        hosts["door"].shares(roster.model_copy(update={"public": twice}))


def test_masks_and_shares_are_given_once():
    session = masked_session(random_words(NAMES[:3]), threshold=2)
    host = session.hosts["door"]
    passed = session.aggregator.shares_for("door")
    with pytest.raises(PrivacyError, match="used once"):
        host.mask(np.zeros(50, np.uint32), passed)
    hosts, aggregator = keyed(NAMES[:3], 2)
    with pytest.raises(PrivacyError, match="after the shares"):
        hosts["door"].mask(np.zeros(1, np.uint32), passed)
    roster = aggregator.roster()
    hosts["door"].shares(roster)
    with pytest.raises(PrivacyError, match="given out already"):
        hosts["door"].shares(roster)


def test_messages_of_another_session_are_refused():
    host = MaskingRound("door", "site.3.2")
    _, aggregator = keyed(NAMES[:3], 2)
    with pytest.raises(MalformedMessageError, match=r"site\.3\.2"):
        aggregator.add_keys("zoo", host.keys())
    with pytest.raises(MalformedMessageError, match=r"session site\.3\.1"):
        host.shares(aggregator.roster())


def test_the_callers_words_stay_as_they_are():
    words = random_words(NAMES[:3])
    before = {name: array.copy() for name, array in words.items()}
    masked_session(words, threshold=2)
    for name, array in words.items():
        np.testing.assert_array_equal(array, before[name])

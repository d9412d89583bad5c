import numpy as np
import pytest

from aggregator.unmasking import Stage, UnmaskingRound, check_combination
from edge.errors import ConfigError, MalformedMessageError, PrivacyError
from edge.federation.masking import MaskingRound
from edge.wire.masks import Keys, Masked, PublicKeys

SESSION = "site.1.1"
NAMES = ("attic", "door", "hall")


@pytest.fixture
def hosts() -> dict[str, MaskingRound]:
    return {name: MaskingRound(name, SESSION) for name in NAMES}


@pytest.fixture
def session() -> UnmaskingRound:
    return UnmaskingRound(SESSION, threshold=2, size=4)


def share(session: UnmaskingRound, hosts: dict[str, MaskingRound]) -> None:
    for name, host in hosts.items():
        session.add_keys(name, host.keys())
    roster = session.roster()
    for name, host in hosts.items():
        session.add_shares(name, host.shares(roster))


@pytest.mark.parametrize(
    ("sees", "secure", "refused"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_strategies_that_compare_updates_do_not_go_with_masks(sees, secure, refused):
    if not refused:
        check_combination("krum", strategy_sees_updates=sees, secure=secure)
        return
    with pytest.raises(ConfigError, match=r"strategy krum .* fedavg"):
        check_combination("krum", strategy_sees_updates=sees, secure=secure)


def test_nobody_is_counted_twice(session, hosts):
    share(session, hosts)
    session.close_shares()
    update = Masked(SESSION, np.full(4, 5, np.uint32))
    session.add_masked("door", update)
    with pytest.raises(MalformedMessageError, match="came before"):
        session.add_masked("door", update)
    with pytest.raises(PrivacyError, match="1 participants"):
        session.survivors()


def test_a_message_of_another_stage_changes_nothing(session, hosts):
    with pytest.raises(MalformedMessageError, match="too late or too early: now KEYS"):
        session.add_masked("door", Masked(SESSION, np.zeros(4, np.uint32)))
    share(session, hosts)
    session.close_shares()
    with pytest.raises(MalformedMessageError, match="now MASKED"):
        session.add_keys("yard", MaskingRound("yard", SESSION).keys())
    with pytest.raises(PrivacyError, match="is over"):
        session.roster()
    assert session.stage is Stage.MASKED


def test_who_missed_a_stage_is_out(session, hosts):
    for name in NAMES:
        session.add_keys(name, hosts[name].keys())
    roster = session.roster()
    for name in NAMES[:2]:
        session.add_shares(name, hosts[name].shares(roster))
    session.close_shares()
    with pytest.raises(MalformedMessageError, match="hall: has missed"):
        session.add_masked("hall", Masked(SESSION, np.zeros(4, np.uint32)))
    assert session.shares_for("attic").sealed.keys() == {"door"}


def test_an_update_of_another_size_is_refused(session, hosts):
    share(session, hosts)
    session.close_shares()
    with pytest.raises(MalformedMessageError, match="5 words, not 4"):
        session.add_masked("door", Masked(SESSION, np.zeros(5, np.uint32)))


def test_shares_must_be_for_all_peers(session, hosts):
    for name in NAMES:
        session.add_keys(name, hosts[name].keys())
    shares = hosts["door"].shares(session.roster())
    sealed = {name: one for name, one in shares.sealed.items() if name != "hall"}
    with pytest.raises(MalformedMessageError, match="not one for each peer"):
        session.add_shares("door", shares.model_copy(update={"sealed": sealed}))


def test_shares_that_nobody_asked_for_are_refused(session, hosts):
    share(session, hosts)
    session.close_shares()
    for name in NAMES[:2]:
        session.add_masked(name, hosts[name].mask(np.zeros(4, np.uint32), session.shares_for(name)))
    survivors = session.survivors()
    answer = hosts["door"].unmask(survivors)
    both = answer.model_copy(update={"seed_shares": {**answer.seed_shares, **answer.key_shares}})
    with pytest.raises(MalformedMessageError, match="not the shares asked for"):
        session.add_unmask("door", both)
    with pytest.raises(MalformedMessageError, match="missed"):
        session.add_unmask("hall", answer)


def test_a_threshold_of_half_is_refused():
    session = UnmaskingRound(SESSION, threshold=2, size=4)
    for name in ("a", "b", "c", "d"):
        session.add_keys(name, MaskingRound(name, SESSION).keys())
    with pytest.raises(PrivacyError, match="3 is the least"):
        session.roster()


def test_a_key_that_makes_secrets_public_is_refused_where_it_enters(session, hosts):
    good = hosts["door"].keys().public.mask_key
    for public in (
        PublicKeys(mask_key=bytes(32), share_key=good),
        PublicKeys(mask_key=good, share_key=bytes(32)),
    ):
        with pytest.raises(MalformedMessageError, match="nothing secret"):
            session.add_keys("door", Keys(session=SESSION, public=public))
    session.add_keys("door", hosts["door"].keys())


def test_the_same_messages_again_bring_a_new_process_to_the_same_sum(hosts):
    heard = []
    first = UnmaskingRound(SESSION, threshold=2, size=4)

    def tell(step, name, message):
        heard.append((step, name, message))
        getattr(first, step)(name, message)

    for name, host in hosts.items():
        tell("add_keys", name, host.keys())
    roster = first.roster()
    for name, host in hosts.items():
        tell("add_shares", name, host.shares(roster))
    first.close_shares()
    for name in NAMES[:2]:
        words = np.arange(4, dtype=np.uint32)
        tell("add_masked", name, hosts[name].mask(words, first.shares_for(name)))
    survivors = first.survivors()
    for name in NAMES[:2]:
        tell("add_unmask", name, hosts[name].unmask(survivors))
    second = UnmaskingRound(SESSION, threshold=2, size=4)
    closing = {"add_keys": second.roster, "add_shares": second.close_shares}
    closing["add_masked"] = second.survivors
    for at, (step, name, message) in enumerate(heard):
        getattr(second, step)(name, message)
        if step in closing and heard[at + 1][0] != step:
            closing[step]()
    np.testing.assert_array_equal(second.total(), 2 * np.arange(4))
    np.testing.assert_array_equal(first.total(), second.total())

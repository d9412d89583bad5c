import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.simulate.splits import dealt, read_owners
from edge.errors import ConfigError, DatasetError


def written(folder: Path, content: object) -> str:
    (folder / "owners.json").write_text(json.dumps(content))
    return str(folder / "owners.json")


@given(st.sets(st.text("abc", min_size=1), min_size=1), st.integers(1, 9), st.integers(0, 99))
def test_a_deal_gives_every_clip_to_one_participant_and_nearly_equal_hands(clips, count, seed):
    count = min(count, len(clips))
    owners = dealt(sorted(clips), count, seed)
    hands = [len(hand) for hand in owners.values()]
    assert sorted(clip for hand in owners.values() for clip in hand) == sorted(clips)
    assert len(hands) == count
    assert max(hands) - min(hands) <= 1
    assert owners == dealt(sorted(clips, reverse=True), count, seed)


def test_seeds_deal_differently():
    clips = [f"c{k}" for k in range(40)]
    assert dealt(clips, 4, 0) != dealt(clips, 4, 1)


def test_more_participants_than_clips_are_refused():
    with pytest.raises(ConfigError, match="2 clips"):
        dealt(["a", "b"], 3, 0)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"p": ["a"], "q": ["b", "c"]}, {"p": ["a"], "q": ["b", "c"]}),
        ([["a"], ["b"]], {"0": ["a"], "1": ["b"]}),
        ({"p": {"a": "Abuse", "b": "Arrest"}}, {"p": ["a", "b"]}),
        ({"train": {"p": ["a"]}, "test": {"p": ["b"], "q": ["c"]}}, {"p": ["a", "b"], "q": ["c"]}),
    ],
)
def test_every_form_of_a_split_reads(tmp_path: Path, content, expected):
    assert read_owners(written(tmp_path, content)) == expected


def test_a_key_is_found_one_level_down_when_only_one_place_has_it(tmp_path: Path):
    file = written(tmp_path, {"order": ["a"], "clients": {"random_2": [["a"], ["b"]]}})
    assert read_owners(f"{file}:random_2") == read_owners(f"{file}:clients/random_2")
    with pytest.raises(ConfigError, match="no single 'random_5' there, but order, clients"):
        read_owners(f"{file}:random_5")


@pytest.mark.parametrize("content", [3, {}, {"p": []}, {"p": "a"}, [["a"], [1]]])
def test_another_form_is_refused(tmp_path: Path, content):
    with pytest.raises(DatasetError, match="expected"):
        read_owners(written(tmp_path, content))


def test_a_clip_of_two_owners_is_refused(tmp_path: Path):
    with pytest.raises(DatasetError, match="a belongs to p and to q"):
        read_owners(written(tmp_path, {"p": ["a"], "q": ["a"]}))


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match="nowhere"):
        read_owners(str(tmp_path / "nowhere.json"))


@pytest.mark.parametrize(
    ("name", "key", "count"),
    [
        ("clap_federated_splits.json", "random_25", 25),
        ("clap_federated_splits.json", "event_13", 13),
        ("clap_federated_splits.json", "scene_11", 11),
        ("federated_splits.json", "random", 10),
        ("federated_splits.json", "scene", 9),
    ],
)
def test_the_published_splits_read(vad_data: Path, name: str, key: str, count: int):
    owners = read_owners(f"{vad_data / 'data' / 'ucf-crime-lists' / name}:{key}")
    assert len(owners) == count
    assert all(owners.values())

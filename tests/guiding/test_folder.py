import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from edge.domain.guidance import Polarity
from edge.errors import ConfigError, StorageError
from edge.guiding.folder import (
    GuidanceFolder,
    changed,
    check,
    corners_of,
    guidance_folder,
    overruled,
)
from edge.wire.guidance import MAX_GUIDANCES, Command, Instruction

DRIVE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))


def said(text: str, polarity: str = "normal", **limits) -> Instruction:
    return Instruction(text=text, polarity=Polarity(polarity), **limits)


def texts(kept) -> list[str]:
    return [each.instruction.text for each in kept]


@pytest.fixture
def folder(tmp_path) -> GuidanceFolder:
    return guidance_folder(tmp_path)


def test_what_was_said_is_there_in_the_next_process(folder):
    assert folder.read("door") == ()
    instruction = said("a bicycle", zones=("drive", DRIVE), hours=("22:00-06:00",), threshold=0.3)
    kept = folder.change("door", Command(add=instruction), now_s=5.0)
    again = GuidanceFolder(folder.path)
    assert again.read("door") == kept
    assert (kept[0].instruction, kept[0].since, kept[0].id) == (instruction, 5.0, instruction.id)
    assert again.read("yard") == ()


def test_each_change_has_another_stamp(folder):
    stamps = [folder.stamp("door")]
    for command in (Command(add=said("a")), Command(remove=said("a").id), Command(replace=())):
        folder.change("door", command, now_s=1.0)
        stamps.append(folder.stamp("door"))
    assert stamps[0] is None
    assert len(set(stamps)) == 4


def test_what_is_said_again_is_there_once_and_the_newest():
    kept = ()
    for number, text in enumerate(["a", "b", "a"]):
        kept = changed(kept, Command(add=said(text)), now_s=float(number))
    assert [(each.instruction.text, each.since) for each in kept] == [("b", 1.0), ("a", 2.0)]


def test_a_list_replaces_all_and_what_stays_keeps_its_age():
    kept = changed((), Command(add=said("a")), now_s=1.0)
    kept = changed(kept, Command(replace=(said("b"), said("a"), said("b"))), now_s=2.0)
    assert [(each.instruction.text, each.since) for each in kept] == [("b", 2.0), ("a", 1.0)]
    assert changed(kept, Command(replace=()), now_s=3.0) == ()


def test_what_is_not_there_cannot_be_removed_and_a_full_camera_takes_no_more():
    full = changed((), Command(replace=tuple(said(f"{k}") for k in range(MAX_GUIDANCES))), now_s=1)
    with pytest.raises(ConfigError, match="remove one first"):
        changed(full, Command(add=said("one more")), now_s=2.0)
    assert len(changed(full, Command(add=said("7")), now_s=2.0)) == MAX_GUIDANCES
    with pytest.raises(ConfigError, match=f"no guidance {said('x').id} here"):
        changed(full, Command(remove=said("x").id), now_s=2.0)


def test_nobody_overwrites_what_another_wrote_meanwhile(folder):
    numbers = range(12)
    with ThreadPoolExecutor(6) as pool:
        list(
            pool.map(
                lambda k: GuidanceFolder(folder.path).change(
                    "door", Command(add=said(f"{k}")), now_s=float(k)
                ),
                numbers,
            )
        )
    assert sorted(map(int, texts(folder.read("door")))) == list(numbers)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"format": "other", "guidance": []}'])
def test_a_damaged_file_is_named_and_left(folder, content):
    folder.path.mkdir()
    path = folder.path / "door.json"
    path.write_text(content)
    for use in (
        lambda: folder.read("door"),
        lambda: folder.change("door", Command(add=said("a")), now_s=1.0),
    ):
        with pytest.raises(ConfigError, match=r"door\.json: cannot be used"):
            use()
    assert path.read_text() == content


def test_an_edited_file_is_read_as_strictly_as_a_command(folder):
    folder.change("door", Command(add=said("a bicycle")), now_s=1.0)
    path = folder.path / "door.json"
    fields = json.loads(path.read_text())
    fields["guidance"][0]["instruction"]["polarity"] = "odd"
    path.write_text(json.dumps(fields))
    with pytest.raises(ConfigError, match="polarity"):
        folder.read("door")


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "guidance").write_text("a file")
    with pytest.raises(StorageError, match="guidance"):
        guidance_folder(tmp_path).change("door", Command(add=said("a")), now_s=1.0)


def test_zones_are_the_cameras_own_or_drawn():
    square = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5))
    assert corners_of(("drive", square), {"drive": DRIVE}) == (DRIVE, square)
    with pytest.raises(ConfigError, match="unknown zone 'lawn': this camera has drive"):
        check(Command(add=said("a", zones=("lawn",))), {"drive": DRIVE})
    with pytest.raises(ConfigError, match="unknown zone 'lawn': this camera has none"):
        check(Command(replace=(said("b"), said("a", zones=("lawn",)))), {})
    with pytest.raises(ConfigError, match="on one line"):
        corners_of((((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)),), {})
    check(Command(remove="0" * 16), {})


def test_a_contradiction_is_told_and_who_wins():
    kept = ()
    for instruction in (said("A Dog"), said("a cat"), said("a dog", "anomalous")):
        kept = changed(kept, Command(add=instruction), now_s=1.0)
    told = [overruled(each, kept[number + 1 :]) for number, each in enumerate(kept)]
    assert told[1:] == ["", ""]
    assert f"{kept[2].id} counts: the same text is anomalous there" in told[0]


def test_other_processes_wait_for_their_turn(folder):
    """The lock is of the kernel, not of one process."""
    code = (
        "import sys, pathlib; from edge.guiding.folder import *; from edge.wire.guidance import *\n"
        "from edge.domain.guidance import Polarity\n"
        "folder = GuidanceFolder(pathlib.Path(sys.argv[1]))\n"
        "for k in range(10):\n"
        "    said = Instruction(text=f'{sys.argv[2]}{k}', polarity=Polarity.NORMAL)\n"
        "    folder.change('door', Command(add=said), now_s=1.0)\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(folder.path), name]) for name in "ab"
    ]
    assert [process.wait(60) for process in running] == [0, 0]
    assert len(folder.read("door")) == 20

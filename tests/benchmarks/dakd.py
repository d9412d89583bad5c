"""DAKD where it can be checked: teacher, students, and the method without each of its parts.

::

    python -m tests.benchmarks.dakd street --work DIR
    python -m tests.benchmarks.dakd ped2 --root PED2 --work DIR

``street``: three generated scenes, clips with and without anomalies, labels per video. ``ped2``:
its 16 normal clips and the even-numbered abnormal ones to train with video labels, the
odd-numbered ones to test; the split is by number, before any result is seen.

The teacher sees the descriptors, a small network that ``vad-export words-tiny`` trains first on
streets of other seeds, and an S3D of random weights; the student sees the small network alone.
``--backbones`` names others, the student's first. All is written below DIR and resumes there.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import TextIO

from edge.evaluation.synthetic import write_dataset
from edge.ingest.synthetic import Street, StreetOptions

SCENES = (0, 1, 2)
CLIP_S, HZ = 30.0, 10.0
NORMAL_CLIPS, ODD_CLIPS, TEST_CLIPS = 16, 16, 6  # of each scene; of a third of them a teacher
# learns every video by heart: its loss falls to 0.002 in a hundred epochs, and it tells nothing
ANOMALIES = ("running", "cycling", "vehicle")
LABELS = Path("annotations", "test_frame_labels.json")
VIDEO_LABELS = Path("annotations", "train_video_labels.json")


def main() -> None:
    options = _options()
    videos = options.work / "videos"
    if not (videos / VIDEO_LABELS).exists():
        _streets(videos) if options.dataset == "street" else _resplit(options.root, videos)
    backbones = options.backbones or [_trained(options.work), _random("s3d", options.work)]
    features = options.work / "features"
    looked_at = ["--videos", videos, "--view", "objects", "--analysis-hz", HZ, "--out", features]
    _export("extract", *looked_at, "--backbones", "descriptors", *backbones)
    names = ["descriptors", *(path.name for path in backbones)]
    seen = ["--features", features, "--backbones", *names, "--student", names[1]]
    rows = ["--rows", *options.rows] if options.rows else []
    told = ["--seeds", options.seeds, "--format", options.format]
    _export("ablate", *seen, *rows, *told, to=sys.stdout)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", choices=("street", "ped2"))
    parser.add_argument("--root", type=Path, help="Ped2's folder")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--backbones", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", nargs="+", metavar="TABLE", help="of ablate; default: all")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    options = parser.parse_args()
    if options.dataset == "ped2" and options.root is None:
        parser.error("ped2 needs --root")
    return options


def _streets(root: Path) -> None:
    train, test = {}, {}
    for scene in SCENES:
        for clip in range(NORMAL_CLIPS + ODD_CLIPS):
            kind = "normal" if clip < NORMAL_CLIPS else "odd"
            train[f"{scene}-{kind}-{clip}"] = _street(scene, clip, odd=kind == "odd")
        for clip in range(TEST_CLIPS):
            test[f"{scene}-test-{clip}"] = _street(scene, 500 + clip, odd=True)
    write_dataset(root, train=train, test=test, rate_hz=HZ)
    _write(root / VIDEO_LABELS, {name: int("-odd-" in name) for name in train})


def _street(scene: int, clip: int, *, odd: bool) -> Street:
    return Street(
        StreetOptions(
            scene_seed=scene,
            seed=1000 * scene + clip,
            duration_s=CLIP_S,
            fps=HZ,
            anomalies=ANOMALIES if odd else (),
            normal_s=8.0 if odd else 0.0,
        )
    )


def _resplit(source: Path, root: Path) -> None:
    labels = json.loads((source / LABELS).read_text())
    normal = {f"n{path.stem}": path for path in (source / "video" / "train").glob("*.mkv")}
    odd = {path.stem: path for path in (source / "video" / "test").glob("*.mkv")}
    taught = {f"a{name}": path for name, path in odd.items() if int(name) % 2 == 0}
    asked = {name: path for name, path in odd.items() if int(name) % 2 == 1}
    for split, clips in (("train", normal | taught), ("test", asked)):
        folder = root / "video" / split
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in clips.items():
            (folder / f"{name}.mkv").symlink_to(path.resolve())
    _write(root / LABELS, {name: labels[name] for name in sorted(asked)})
    _write(root / VIDEO_LABELS, dict.fromkeys(normal, 0) | dict.fromkeys(taught, 1))


def _trained(work: Path) -> Path:
    folder = work / "words"
    if not folder.exists():
        _export("words-tiny", "--out", folder)
    return folder / "backbone"


def _random(name: str, work: Path) -> Path:
    folder = work / "backbones" / name
    if not folder.exists():
        _export("backbone", name, "--random", "--out", folder)
    return folder


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _export(*arguments: object, to: TextIO = sys.stderr) -> None:
    command = [sys.executable, "-m", "export.cli", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=to)


if __name__ == "__main__":
    main()

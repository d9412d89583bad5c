"""What a camera host says to an exported student that it cannot or may not use."""

import io
import json
import shutil

import pytest
import yaml

from edge import cli
from edge.config import load_config
from edge.errors import FeatureVersionError, ModelError, VadError
from edge.model.signature import sign_folder, signer
from edge.serve import Host
from edge.wire.keys import public_pem, secret_pem, write_once
from export.cli import main
from tests.export.students import WIDTH, command, training_folder, video
from tests.fakes.backbones import tiny_backbone

ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A signed student, and the footage of a camera."""
    folder = tmp_path_factory.mktemp("host")
    for name in ("mine", "other"):
        key = ed25519.Ed25519PrivateKey.generate()
        write_once(folder / f"{name}.key", secret_pem(key), 0o600)
        write_once(folder / f"{name}.pub", public_pem(key.public_key()), 0o644)
    eyes = tiny_backbone(folder / "eyes", width=WIDTH).folder
    training = training_folder(folder / "training")
    told = ["--out", folder / "student", "--backbone", eyes, "--key", folder / "mine.key"]
    assert main(["onnx", str(training), *map(str, told)]) == 0
    video(folder / "clip.mkv", frames=20)
    return folder


@pytest.fixture
def host(tmp_path, original):
    folder = shutil.copytree(original, tmp_path / "host")
    settings = {
        "host": "host",
        "mqtt": {"enabled": False},
        "exported_student": {"folder": "student", "signed_by": "mine.pub"},
        "cameras": {"street": {"source": str(folder / "clip.mkv")}},
    }
    (folder / "edge.yaml").write_text(yaml.safe_dump(settings))
    return folder


def check(folder, capsys, *, code):
    """What ``vad-edge check`` finds about the student."""
    capsys.readouterr()
    got = cli.main(["check", "-c", str(folder / "edge.yaml"), "--format", "json"])
    said = capsys.readouterr()
    assert got == code, said.out
    findings = json.loads(said.out)["findings"]
    return next(each["found"] for each in findings if each["what"] == "exported_student")


def run(folder) -> None:
    """As ``vad-edge run`` begins."""
    Host(load_config(folder / "edge.yaml", {}), events=io.StringIO())


def resigned(folder, **changes) -> None:
    """Another manifest, signed by the right hand: it is the content that does not fit."""
    path = folder / "student" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))
    sign_folder(folder / "student", signer(folder / "mine.key"))


def test_a_student_that_fits_is_taken(host, capsys):
    assert "head dakd, looks through tiny-8x1" in check(host, capsys, code=0)
    run(host)


def test_a_verified_student_is_taken(host, capsys):
    command(capsys, "verify", host / "student", "--key", host / "mine.key")
    run(host)


def another_feature_version(host):
    resigned(host, spec_versions=["scene-embedding picture x4 by other-1-abc"])


def another_view(host):
    """The weights would read it, but learnt to look otherwise."""
    resigned(host, look={"view": "picture", "frames": 8})


def a_flipped_byte(host):
    path = host / "student" / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)


def a_flipped_byte_of_the_backbone(host):
    path = host / "student" / "backbone" / "backbone.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def another_signer(host):
    sign_folder(host / "student", signer(host / "other.key"))


def nobodys(host):
    (host / "student" / "manifest.sig").unlink()


def nothing(host):
    shutil.rmtree(host / "student")


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (
            another_feature_version,
            FeatureVersionError,
            "learnt scene-embedding picture x4 by other",
        ),
        (another_view, FeatureVersionError, "x8 by"),
        (a_flipped_byte, ModelError, "weights.safetensors is not the file"),
        (a_flipped_byte_of_the_backbone, ModelError, "backbone.onnx is not the file"),
        (another_signer, ModelError, "not by the holder"),
        (nobodys, ModelError, "not signed"),
        (nothing, ModelError, "student"),
    ],
)
def test_a_student_that_does_not_fit_is_refused(host, capsys, spoil, error, says):
    spoil(host)
    with pytest.raises(VadError, match=says) as refused:
        run(host)
    assert isinstance(refused.value, error)
    assert says in check(host, capsys, code=2)

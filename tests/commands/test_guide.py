import pytest

from edge.guiding.folder import guidance_folder

ADD = ("guide", "add", "a person riding a bicycle", "--normal")


@pytest.fixture
def config(shell):
    return shell.config(
        "host: h\nmqtt: {enabled: false}\ncameras:\n"
        "  street: {source: 'synthetic:precinct', zones: {drive: [[0, 0], [1, 0], [1, 1]]}}\n"
        "  yard: {source: 'synthetic:precinct', enabled: false}\n"
    )


def kept(shell, camera="street"):
    return guidance_folder(shell.folder / "data").read(camera)


def test_words_are_added_listed_and_removed(shell, config):
    limits = ("--zone", "drive", "--hours", "22:00-06:00", "--threshold", "0.25")
    code, told = shell.json(*ADD, *limits, "-c", config, "--camera", "street")
    (said,) = told["cameras"]["street"]
    assert code == 0
    assert said == {
        "id": kept(shell)[0].id,
        "text": "a person riding a bicycle",
        "polarity": "normal",
        "threshold": 0.25,
        "zones": ["drive"],
        "hours": ["22:00-06:00"],
        "since": kept(shell)[0].since,
    }
    _, out, _ = shell.run("guide", "list", "-c", config)
    assert f"{said['id']}  normal     a person riding a bicycle; in drive; at 22:00-06:00" in out
    assert "camera yard: goes by no words" in out
    assert shell.run("guide", "remove", said["id"], "-c", config, "--camera", "street")[0] == 0
    assert kept(shell) == ()


def test_a_host_without_a_word_model_is_told_that_nobody_understands(shell, config):
    code, _, err = shell.run(*ADD, "-c", config, "--camera", "street")
    assert (code, len(kept(shell))) == (0, 1)
    assert "give this host a word model" in err
    config.write_text(config.read_text() + "words: {model: clip}\n")
    assert shell.run(*ADD, "-c", config, "--camera", "street")[2] == ""


def test_a_contradiction_is_shown(shell, config):
    shell.run(*ADD, "-c", config, "--camera", "street")
    anomalous = ("guide", "add", "A person riding a BICYCLE", "--anomalous")
    _, out, _ = shell.run(*anomalous, "-c", config, "--camera", "street")
    older, newer = kept(shell)
    assert f"where both hold, {newer.id} counts" in out
    assert out.count("where both hold") == 1
    assert older.id in out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((*ADD, "--camera", "strit"), "no camera 'strit' in the configuration: there are street"),
        (("guide", "list", "--camera", "strit"), "no camera 'strit'"),
        ((*ADD, "--camera", "street", "--zone", "lawn"), "unknown zone 'lawn'"),
        ((*ADD, "--camera", "street", "--hours", "22-6"), "written as 22:00-06:00"),
        ((*ADD, "--camera", "street", "--threshold", "nan"), "threshold"),
        (("guide", "add", "  ", "--normal", "--camera", "street"), "an empty text"),
        (("guide", "add", "a" * 10_000, "--normal", "--camera", "street"), "at most 500"),
        (("guide", "add", "a\x1bb", "--normal", "--camera", "street"), "control characters"),
        (("guide", "add", "\udcff", "--normal", "--camera", "street"), "not UTF-8"),
        (("guide", "remove", "7", "--camera", "street"), "remove"),
        (("guide", "remove", "0" * 16, "--camera", "street"), "no guidance"),
    ],
)
def test_what_cannot_be_done_exits_with_2_says_why_and_changes_nothing(
    shell, config, arguments, why
):
    code, out, err = shell.run(*arguments, "-c", config)
    assert (code, out) == (2, "")
    assert why in err
    assert kept(shell) == ()


def test_a_sentence_needs_one_polarity(shell, config):
    with pytest.raises(SystemExit):
        shell.run("guide", "add", "a dog", "-c", config, "--camera", "street")
    with pytest.raises(SystemExit):
        shell.run(*ADD, "--anomalous", "-c", config, "--camera", "street")


def test_letters_that_turn_a_terminal_around_do_not_reach_it(shell, config):
    _, out, _ = shell.run(
        "guide", "add", "a \u202edog", "--normal", "-c", config, "--camera", "street"
    )
    assert "\u202e" not in out
    assert kept(shell)[0].instruction.text == "a \u202edog"

import json

import numpy as np
import pytest

pytest.importorskip("transformers", reason="image-text models need the extra captions")

from aggregator.cli import main
from aggregator.public.pretrained import MOST_NEW_TOKENS, PretrainedCaptioner, PretrainedTexts
from aggregator.public.prompts import FRAME
from aggregator.public.reading import read_public
from aggregator.public.text import open_texts
from edge.errors import ModelError
from tests.fakes.pretrained import LONGEST, tiny_bert, tiny_blip, tiny_blip2, tiny_encoder_decoder


@pytest.fixture(scope="module")
def pictures():
    return list(np.random.default_rng(0).integers(0, 256, (5, 90, 160, 3), np.uint8))


@pytest.fixture(scope="module")
def blip2(tmp_path_factory):
    return tiny_blip2(tmp_path_factory.mktemp("blip2"))


def test_blip2_captions_every_picture_by_what_it_shows(blip2, pictures):
    captions = PretrainedCaptioner(str(blip2)).caption(pictures, FRAME)
    assert len(captions) == len(pictures)
    assert len(set(captions)) > 1


@pytest.mark.parametrize("make", [tiny_blip2, tiny_blip])
def test_no_caption_repeats_the_prompt(make, tmp_path, pictures):
    captioner = PretrainedCaptioner(str(make(tmp_path)))
    shorter, longer = (captioner.caption(pictures, "a man is " * n) for n in (1, 5))
    assert all(len(told.split()) <= MOST_NEW_TOKENS for told in (*shorter, *longer))
    assert all(shorter)
    assert all(longer)


def test_a_model_captions_alike_every_time_and_by_itself(blip2, pictures):
    together = PretrainedCaptioner(str(blip2)).caption(pictures, FRAME)
    alone = [PretrainedCaptioner(str(blip2)).caption([one], FRAME)[0] for one in pictures]
    assert together == alone


def test_an_encoder_with_a_decoder_captions_without_a_prompt(tmp_path, pictures):
    captioner = PretrainedCaptioner(str(tiny_encoder_decoder(tmp_path)))
    captions = captioner.caption(pictures, FRAME)
    assert len(captions) == len(pictures)
    assert captions == captioner.caption(pictures, "something else")


def test_nothing_is_loaded_to_tell_models_apart(tmp_path):
    names = [PretrainedCaptioner(name).identity for name in ("no/model", "nor/this")]
    assert len(set(names)) == 2
    folders = [tiny_bert(tmp_path / str(seed), seed=seed) for seed in (0, 1)]
    assert len({PretrainedTexts(str(folder)).identity for folder in folders}) == 2


def test_bert_embeds_texts_alike_alone_and_among_longer_ones(tmp_path):
    texts = open_texts(f"transformers:{tiny_bert(tmp_path)}")
    sentences = ["a man", "a person is walking on a street", "car " * 2 * LONGEST, ""]
    found = texts.embed(sentences)
    assert found.shape == (4, texts.width)
    assert np.allclose(found[:1], texts.embed(sentences[:1]), atol=1e-5)
    assert np.allclose(np.linalg.norm(found[:3], axis=1), 1, atol=1e-5)


def test_a_folder_without_a_model_says_what_to_do(tmp_path, pictures):
    with pytest.raises(ModelError, match="save_pretrained"):
        PretrainedCaptioner(str(tmp_path)).caption(pictures, FRAME)
    with pytest.raises(ModelError, match="save_pretrained"):
        PretrainedTexts(str(tmp_path)).embed(["a man"])


def test_videos_become_a_public_set_with_captions_and_texts(generated, blip2, tmp_path, capsys):
    bert = tiny_bert(tmp_path / "bert")
    command = ["public", "add", str(generated), "--out", str(tmp_path / "public")]
    command += ["--captioner", f"transformers:{blip2}", "--texts", f"transformers:{bert}"]
    command += ["--every", "1", "--format", "json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ready"], found["captions"], found["requests"]) == (3, 3, 0)
    public = read_public(tmp_path / "public")
    assert all(video.caption.endswith(".") for video in public.videos)
    assert public.widths[2] == PretrainedTexts(str(bert)).width
    assert all(np.isclose(np.linalg.norm(video.text), 1, atol=1e-5) for video in public.videos)

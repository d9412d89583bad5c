"""CLIP's tokenizer as a file of the library ``tokenizers``, which a host can read without torch.

open_clip's own first mends a text (ftfy, HTML entities), then cuts it into words, and each word
into pieces by byte pairs. All but the mending is in the file, and of the mending what people type:
curly quotes, and white space of all kinds. Of a text that needs no other mending both make the same
tokens.
"""

from __future__ import annotations

from typing import Any

import open_clip
from open_clip.tokenizer import SimpleTokenizer
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from edge.errors import ModelError

WORD_END = "</w>"
WORDS = r"(?i)'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
QUOTES = (("[‘’ʼ‛]", "'"), ("[“”‟]", '"'))
PAD = 0


def convert(name: str) -> tuple[Tokenizer, int]:
    """The tokenizer of an open_clip network, and L, to which it pads and cuts.

    Raises ModelError for a network whose tokenizer is not CLIP's.
    """
    config: dict[str, Any] = open_clip.get_model_config(name)["text_cfg"]
    own = config.get("hf_tokenizer_name"), config.get("tokenizer_kwargs"), "siglip" in name.lower()
    if any(own):
        raise ModelError(
            f"{name}: its text tower has a tokenizer of its own, not CLIP's: a host can have its "
            "action prompts, but not read sentences; leave out --text-tower"
        )
    length = int(config.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH))
    return converted(SimpleTokenizer(context_length=length)), length


def converted(original: SimpleTokenizer) -> Tokenizer:
    """The same for one with its vocabulary."""
    end = _text_of(original, original.eot_token_id)
    begin = _text_of(original, original.sot_token_id)
    tokenizer = Tokenizer(
        models.BPE(
            vocab=original.encoder,
            merges=list(original.bpe_ranks),
            end_of_word_suffix=WORD_END,
            unk_token=end,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            *(normalizers.Replace(Regex(marks), plain) for marks, plain in QUOTES),
            normalizers.Lowercase(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        special_tokens=[(begin, original.sot_token_id), (end, original.eot_token_id)],
    )
    tokenizer.enable_truncation(original.context_length)
    tokenizer.enable_padding(length=original.context_length, pad_id=PAD, pad_token="!")
    return tokenizer


def _text_of(original: SimpleTokenizer, token: int) -> str:
    return str(original.decoder[token])

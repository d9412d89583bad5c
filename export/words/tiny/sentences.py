"""The tiny model's tokenizer: whole words in lower case; all that it does not know are one word."""

from __future__ import annotations

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from export.words.tiny.captions import words
from export.words.tiny.towers import LONGEST, PAD

BEGIN, UNKNOWN = 1, 2  # tokens; the first makes the empty sentence one too


def make_tokenizer() -> Tokenizer:
    """Always the same; any UTF-8 is read, LONGEST tokens of it."""
    vocabulary = {"[pad]": PAD, "[begin]": BEGIN, "[unknown]": UNKNOWN}
    vocabulary |= {word: number for number, word in enumerate(words(), start=len(vocabulary))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[unknown]"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[begin] $A", special_tokens=[("[begin]", BEGIN)]
    )
    tokenizer.enable_truncation(LONGEST)
    tokenizer.enable_padding(length=LONGEST, pad_id=PAD, pad_token="[pad]")
    return tokenizer

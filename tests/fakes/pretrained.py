"""Tiny random networks of Hugging Face transformers, as ``save_pretrained`` writes them."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    GPT2Config,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTImageProcessor,
)

SPECIAL = ("[PAD]", "[UNK]", "[BOS]", "[EOS]", "<image>")
WORDS = (*SPECIAL, "a", "man", "person", "car", "street", "walking", "running", "burning", "is")
SIDE_PX, LONGEST = 32, 64
LOUD = 30.0  # new weights are so small that all pictures would look alike
TINY = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}


def tiny_blip2(folder: Path, seed: int = 0) -> Path:
    """BLIP-2: image tower, Q-Former, OPT."""
    torch.manual_seed(seed)
    words = tokenizer()
    config = Blip2Config(
        vision_config=TINY | {"num_attention_heads": 2, "image_size": SIDE_PX, "patch_size": 16},
        qformer_config=TINY
        | {"vocab_size": len(words), "num_attention_heads": 2, "encoder_hidden_size": 16},
        text_config={
            "model_type": "opt",
            "vocab_size": len(words),
            "hidden_size": 16,
            "word_embed_proj_dim": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "ffn_dim": 32,
            "max_position_embeddings": LONGEST + 64,
            "pad_token_id": 0,
            "bos_token_id": 2,
            "eos_token_id": 3,
        },
        num_query_tokens=4,
        image_token_index=WORDS.index("<image>"),
    )
    _talkative(Blip2ForConditionalGeneration(config)).save_pretrained(folder)
    eyes = BlipImageProcessor(size={"height": SIDE_PX, "width": SIDE_PX})
    Blip2Processor(eyes, words, num_query_tokens=4).save_pretrained(folder)
    return folder


def tiny_blip(folder: Path, seed: int = 0) -> Path:
    """BLIP, which goes on where the prompt ends."""
    torch.manual_seed(seed)
    words = tokenizer(framed=True)
    text = {
        "vocab_size": len(words),
        "num_attention_heads": 2,
        "encoder_hidden_size": 16,
        "max_position_embeddings": 2 * LONGEST,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "sep_token_id": 3,
        "pad_token_id": 0,
    }
    vision = TINY | {"num_attention_heads": 2, "image_size": SIDE_PX, "patch_size": 16}
    config = BlipConfig(vision_config=vision, text_config=TINY | text)
    _talkative(BlipForConditionalGeneration(config)).save_pretrained(folder)
    eyes = BlipImageProcessor(size={"height": SIDE_PX, "width": SIDE_PX})
    BlipProcessor(eyes, words).save_pretrained(folder)
    return folder


def _talkative(model: PreTrainedModel) -> PreTrainedModel:
    """It sees a difference between pictures, says words alone, and never ends by itself."""
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(LOUD)
    model.generation_config.suppress_tokens = list(range(len(SPECIAL)))
    return model


def tiny_encoder_decoder(folder: Path, seed: int = 0) -> Path:
    """ViT and GPT-2, which takes no prompt."""
    torch.manual_seed(seed)
    encoder = ViTConfig(**TINY, num_attention_heads=2, image_size=SIDE_PX, patch_size=16)
    decoder = GPT2Config(
        vocab_size=len(WORDS),
        n_embd=16,
        n_layer=1,
        n_head=2,
        n_positions=LONGEST,
        bos_token_id=2,
        eos_token_id=3,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    model = VisionEncoderDecoderModel(config)
    model.generation_config.decoder_start_token_id = 2
    model.generation_config.pad_token_id = 0
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": SIDE_PX, "width": SIDE_PX}).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def tiny_bert(folder: Path, seed: int = 0) -> Path:
    """BERT."""
    torch.manual_seed(seed)
    config = BertConfig(
        **TINY, vocab_size=len(WORDS), num_attention_heads=2, max_position_embeddings=LONGEST
    )
    BertModel(config).save_pretrained(folder)
    tokenizer(framed=True).save_pretrained(folder)
    return folder


def tokenizer(*, framed: bool = False) -> PreTrainedTokenizerFast:
    """Whole words; ``framed``: between a beginning and an end, as BERT's."""
    made = Tokenizer(models.WordLevel({w: k for k, w in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if framed:
        ends = [(name, SPECIAL.index(name)) for name in ("[BOS]", "[EOS]")]
        made.post_processor = processors.TemplateProcessing(
            single="[BOS] $A [EOS]", special_tokens=ends
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        bos_token="[BOS]",
        eos_token="[EOS]",
        additional_special_tokens=["<image>"],
    )

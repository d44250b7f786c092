"""The tokenizer: a byte-level BPE with 1024 tokens, trained on the conversations."""

import numpy as np
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from conversations import conversation
from words import FILLER, NAMES

VOCABULARY = 1024
SPECIALS = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
# Qwen2's splitting rule: https://github.com/QwenLM/Qwen
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def make_tokenizer() -> Tokenizer:
    """Trains the tokenizer, deterministically. It can encode any UTF-8 text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    byte_level = {"add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    tokenizer.decoder = decoders.ByteLevel(**byte_level)
    tokenizer.post_processor = processors.ByteLevel(**byte_level)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    tokenizer.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in SPECIALS])
    if tokenizer.get_vocab_size() != VOCABULARY:
        raise ValueError(f"Expected {VOCABULARY} tokens, got {tokenizer.get_vocab_size()}.")
    return tokenizer


def _corpus() -> list[str]:
    rng, corpus = np.random.default_rng(1), []
    for _ in range(3000):
        messages, _ = conversation(rng)
        for message in messages:
            body = message["content"]
            if not isinstance(body, str):
                body = "".join(part.get("text", "") for part in body)
            corpus.append(body)
    return corpus + [
        f"system\nuser\nassistant\n {word} {word}" for word in FILLER + NAMES for _ in range(8)
    ]

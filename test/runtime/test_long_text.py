"""Refusing texts far beyond the context, and only those. Needs no model."""

import random
import time
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer

from launcher.model import least_tokens, refuse_long_text

DEMO = Path(__file__).parents[2] / "resources/models/demo"
tokenizer = AutoTokenizer.from_pretrained(DEMO)
fast = tokenizer.backend_tokenizer


@pytest.mark.parametrize("text", ["word " * 1_400_000, "a" * 7_000_000, "1234 \n" * 1_000_000])
def test_a_text_far_beyond_the_context_is_refused_quickly(text):
    start = time.monotonic()
    with pytest.raises(ValueError, match="maximum context length is 4096 tokens"):
        refuse_long_text(tokenizer, text, 4096)
    assert time.monotonic() - start < 5


def test_no_text_that_fits_is_refused():
    tokens = [token for token in fast.get_vocab() if len(token) > 4]
    pieces = [fast.decode([fast.token_to_id(token)]) for token in tokens]
    pieces += ["<|im_start|>", "<|vision_start|>", " " * 40, "\n" * 30, "가", "é"]
    generator = random.Random(23)
    for limit in (100, 200, 300):
        for _ in range(200):
            text = ""
            while len(text) <= limit * 8:
                text += generator.choice(pieces) * generator.randint(1, 5)
            count = len(fast.encode(text).ids)
            assert least_tokens(fast, text) <= count
            if count < limit:
                refuse_long_text(tokenizer, text, limit)


def test_a_text_of_one_word_is_not_judged_by_its_start():
    fast = Tokenizer(models.BPE({"a": 0, "aa": 1}, [("a", "a")]))

    class Wrapped:
        backend_tokenizer = fast

    refuse_long_text(Wrapped, "a" * 1000, 100)
    assert least_tokens(fast, "a" * 1000) == 0


def test_a_model_without_context_length_or_fast_tokenizer_refuses_nothing():
    refuse_long_text(tokenizer, "word " * 100_000, None)
    refuse_long_text(object(), "word " * 100_000, 4096)

"""The bytes of single tokens, for logprobs. Needs mlx_vlm and the demo model's tokenizer."""

import importlib

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from launcher import sampling
from runtime_process import DEMO

app = importlib.import_module("mlx_vlm.server.app")

END = "<\uff5cend of turn\uff5c>"

TEXTS = [
    "A red star.",
    " a  b\n\tc",
    "naïve café, Ω ≠ ω",
    "日本語 한국어 ไทย",
    "🦊👩‍👩‍👧🏳️‍🌈",
    "a\u0301 \ufffd \u2581x",
]


@pytest.fixture(autouse=True)
def patched(monkeypatch):
    monkeypatch.setattr(app, "_decode_token", app._decode_token)
    sampling.patch_token_bytes()


def byte_level():
    return AutoTokenizer.from_pretrained(DEMO)


def sentence_piece():
    """Like those of Gemma and Llama: U+2581 for spaces, and bytes for unknown characters."""
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += ["\u2581", *"abcdefrst.\u00e9", "\u2581a", "\u2581r", "re", "st"]
    vocab = {piece: index for index, piece in enumerate(pieces)}
    merges = [("\u2581", "a"), ("\u2581", "r"), ("r", "e"), ("s", "t")]
    model = models.BPE(vocab, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


@pytest.mark.parametrize("make", [byte_level, sentence_piece])
@pytest.mark.parametrize("text", TEXTS)
def test_joined_bytes_are_the_text_in_utf_8(make, text):
    tokenizer = make()
    ids = tokenizer.encode(text, add_special_tokens=False)
    joined = bytes(byte for one in ids for byte in app._decode_token(tokenizer, one)[1])
    assert joined.decode() == tokenizer.decode(ids, clean_up_tokenization_spaces=False)


@pytest.mark.parametrize("make", [byte_level, sentence_piece])
def test_a_character_is_split_into_its_bytes(make):
    tokenizer = make()
    entries = [
        app._make_logprob_content(tokenizer, one, -1.0, [(one, -1.0)], 1)
        for one in tokenizer.encode("🦊", add_special_tokens=False)
    ]
    assert len(entries) > 1
    for parts in (entries, [entry.top_logprobs[0] for entry in entries]):
        assert bytes(byte for part in parts for byte in part.bytes) == "🦊".encode()


def test_special_tokens_are_their_own_text():
    tokenizer = byte_level()
    tokenizer.add_tokens([AddedToken(END, special=True)])
    for token in ("<|im_end|>", END):
        text, raw = app._decode_token(tokenizer, tokenizer.convert_tokens_to_ids(token))
        assert (text, bytes(raw)) == (token, token.encode())


def test_other_tokenizers_are_unchanged():
    class Other:
        def decode(self, ids):
            return "é"

    assert app._decode_token(Other(), 5) == ("é", [0xC3, 0xA9])

"""Gives every token of the logprobs its own bytes, so that joined they are the text in UTF-8.

mlx_vlm 0.7.10 decodes each token alone (`_decode_token` in its `server/app.py`): a token that holds
a part of a character gets the bytes of U+FFFD, and SentencePiece's tokens lose their space. Covers
byte-level BPE and SentencePiece with byte fallback; other tokenizers stay as they are.
"""

import importlib
import inspect
import re
from typing import Any

from mlx_vlm.tokenizer_utils import BPEStreamingDetokenizer

from launcher.other_version import other_version

BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")
SPACE = "\u2581"


def patch() -> None:
    """Changes mlx_vlm in place. Raises FatalError when it is another mlx_vlm than expected."""
    # In the package, `app` is the FastAPI object.
    app = importlib.import_module("mlx_vlm.server.app")
    decode = getattr(app, "_decode_token", None)
    if decode is None or list(inspect.signature(decode).parameters) != ["tokenizer", "token_id"]:
        raise other_version("app._decode_token does not take a tokenizer and a token")
    if not hasattr(BPEStreamingDetokenizer, "make_byte_decoder"):
        raise other_version("BPEStreamingDetokenizer.make_byte_decoder is missing")
    BPEStreamingDetokenizer.make_byte_decoder()

    def decode_token(tokenizer: Any, token_id: int) -> tuple[str, list[int] | None]:
        raw = token_bytes(tokenizer, int(token_id))
        if raw is None:
            return decode(tokenizer, token_id)
        return raw.decode("utf-8", errors="replace"), list(raw)

    app._decode_token = decode_token


def token_bytes(tokenizer: Any, token_id: int) -> bytes | None:
    """None if only the tokenizer itself can decode the token."""
    decoder = repr(getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None))
    piece = tokenizer.convert_ids_to_tokens(token_id) if decoder != "None" else None
    if not isinstance(piece, str):
        return None
    if "ByteLevel" in decoder:
        byte_of = BPEStreamingDetokenizer._byte_decoder
        # Special tokens may have characters that stand for no byte.
        return bytes(map(byte_of.get, piece)) if byte_of.keys() >= set(piece) else None
    if "ByteFallback" in decoder:
        if byte := BYTE_PIECE.fullmatch(piece):
            return bytes([int(byte[1], 16)])
        return piece.replace(SPACE, " ").encode()
    return None

"""Estimates the memory of a request's KV cache from the model's configuration.

Covers models with full attention, sliding windows, linear attention (whose state does not grow),
compressed keys (MLA), and layers that share the keys of others (Gemma 3n and 4).
"""

from typing import Any

TOKENS_PER_REQUEST = 8192
"""An image with the most pixels that the gateway allows (5,400 tokens of Qwen2-VL), a question and
an answer."""

BYTES_PER_NUMBER = 2
"""The cache is float16 or bfloat16, even if the weights are quantized."""

MOST_LAYERS = 10_000
MOST_BYTES = 2**53
"""Larger values are not plausible, and not safe integers in JSON."""


def request_bytes(config: Any) -> int | None:
    """For a request of TOKENS_PER_REQUEST tokens. None if the configuration is incomplete."""
    text = getattr(config, "text_config", None) or config
    layers = _number(text, "num_hidden_layers", "n_layers", "n_layer")
    per_token = numbers_per_token(text)
    if layers is None or layers > MOST_LAYERS or per_token is None:
        return None
    limit = _number(text, "max_position_embeddings") or TOKENS_PER_REQUEST
    tokens = min(TOKENS_PER_REQUEST, limit)
    cached = layers - min(layers, _number(text, "num_kv_shared_layers") or 0)
    held = [min(tokens, window) for window in windows(text, layers, tokens)[:cached]]
    unwindowed = numbers_per_token_without_window(text, per_token)
    numbers = sum(each * (unwindowed if each == tokens else per_token) for each in held)
    needed = numbers * BYTES_PER_NUMBER
    return needed if needed <= MOST_BYTES else None


def numbers_per_token(text: Any) -> int | None:
    """Of one layer: a key and a value for each KV head."""
    if (rank := _number(text, "kv_lora_rank")) is not None:
        return rank + (_number(text, "qk_rope_head_dim") or 0)
    heads = _number(text, "num_attention_heads", "n_heads", "n_head")
    hidden = _number(text, "hidden_size", "n_embd")
    width = _number(text, "head_dim")
    if width is None and heads and hidden:
        width = hidden // heads
    kv_heads = _number(text, "num_key_value_heads") or heads
    return None if width is None or kv_heads is None else 2 * kv_heads * width


def numbers_per_token_without_window(text: Any, per_token: int) -> int:
    """Of one layer without a window, whose heads differ in Gemma 4."""
    width = _number(text, "global_head_dim")
    kv_heads = _number(text, "num_global_key_value_heads", "num_key_value_heads")
    return per_token if width is None or kv_heads is None else 2 * kv_heads * width


def windows(text: Any, layers: int, tokens: int) -> list[int]:
    """The number of tokens that each layer caches."""
    window = _number(text, "sliding_window") or tokens
    kinds = getattr(text, "layer_types", None)
    if isinstance(kinds, list) and len(kinds) == layers:
        return [_held(str(kind), window, tokens) for kind in kinds]
    pattern = _number(text, "sliding_window_pattern")
    if pattern is not None:
        return [tokens if (n + 1) % pattern == 0 else window for n in range(layers)]
    every = _number(text, "full_attention_interval")
    if every is not None:
        return [tokens if (n + 1) % every == 0 else 0 for n in range(layers)]
    return [tokens] * layers


def _held(kind: str, window: int, tokens: int) -> int:
    if kind == "full_attention":
        return tokens
    return window if kind in ("sliding_attention", "chunked_attention") else 0


def _number(text: Any, *names: str) -> int | None:
    for name in names:
        value = getattr(text, name, None)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None

"""Estimates of a request's memory, for the kinds of attention in vision models."""

from types import SimpleNamespace

import pytest

from hub.request_memory import request_bytes

TOKENS = 8192
QWEN = {"num_hidden_layers": 28, "num_attention_heads": 12, "hidden_size": 1536}
LAYERS = {"num_hidden_layers": 6, "num_key_value_heads": 4, "head_dim": 256}
GEMMA_4 = {"head_dim": 256, "global_head_dim": 512}
SLIDING_THEN_FULL = [*["sliding_attention"] * 5, "full_attention"]


def config(**text):
    return SimpleNamespace(text_config=SimpleNamespace(**text))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ({**QWEN, "num_key_value_heads": 2}, 28 * TOKENS * 2 * 2 * 128),
        (QWEN, 28 * TOKENS * 2 * 12 * 128),
        (
            {**QWEN, "num_key_value_heads": 2, "max_position_embeddings": 100},
            28 * 100 * 2 * 2 * 128,
        ),
        (
            {**LAYERS, "sliding_window": 1024, "sliding_window_pattern": 6},
            (5 * 1024 + TOKENS) * 2 * 4 * 256,
        ),
        (
            {
                **LAYERS,
                "sliding_window": 512,
                "layer_types": ["sliding_attention"] * 4 + ["full_attention", "linear_attention"],
            },
            (4 * 512 + TOKENS) * 2 * 4 * 256,
        ),
        ({**LAYERS, "full_attention_interval": 3}, 2 * TOKENS * 2 * 4 * 256),
        (
            {
                **GEMMA_4,
                "num_hidden_layers": 42,
                "layer_types": SLIDING_THEN_FULL * 7,
                "num_key_value_heads": 2,
                "num_kv_shared_layers": 18,
                "sliding_window": 512,
            },
            20 * 512 * 2 * 2 * 256 + 4 * TOKENS * 2 * 2 * 512,
        ),
        (
            {
                **GEMMA_4,
                "num_hidden_layers": 60,
                "layer_types": SLIDING_THEN_FULL * 10,
                "num_key_value_heads": 16,
                "num_global_key_value_heads": 4,
                "num_kv_shared_layers": 0,
                "sliding_window": 1024,
            },
            50 * 1024 * 2 * 16 * 256 + 10 * TOKENS * 2 * 4 * 512,
        ),
        (
            {"num_hidden_layers": 27, "kv_lora_rank": 512, "qk_rope_head_dim": 64},
            27 * TOKENS * (512 + 64),
        ),
    ],
    ids=[
        "grouped",
        "plain",
        "short context",
        "gemma 3",
        "mixed",
        "qwen 3.5",
        "gemma 4 e4b",
        "gemma 4 31b",
        "deepseek",
    ],
)
def test_the_size_of_a_requests_cache(text, numbers):
    assert request_bytes(config(**text)) == numbers * 2


def test_a_configuration_without_text_config_is_read_directly():
    flat = SimpleNamespace(**QWEN)
    assert request_bytes(flat) == request_bytes(config(**QWEN))


def test_an_incomplete_configuration_has_no_estimate():
    assert request_bytes(config(hidden_size=1536)) is None


@pytest.mark.parametrize("absurd", [{"num_hidden_layers": 10**9}, {"head_dim": 10**320}])
def test_implausible_numbers_have_no_estimate(absurd):
    assert request_bytes(config(**{**LAYERS, **absurd})) is None

"""Which models are waited for until they have thought. Needs mlx_vlm, no model."""

import pytest
from structured_output import thinks


class Tokenizer:
    """Knows `</think>` as one token, and every other letter as one."""

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return [0] if text == "</think>" else [*range(len(text))]


@pytest.mark.parametrize(
    ("template", "end", "expected"),
    [
        ("{{ messages }}<think>", "</think>", True),
        ("{% if enable_thinking %}", "</think>", True),
        ("{{ messages }}", "</think>", False),
        ("{% if enable_thinking %}", "</thought>", False),
    ],
)
def test_a_model_thinks_if_its_template_and_a_token_say_so(template, end, expected):
    assert thinks(template, Tokenizer(), "<think>", end) is expected

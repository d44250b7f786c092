"""Where a grammar starts in an answer with reasoning. Needs mlx_vlm, no model."""

import mlx.core as mx
import pytest

from launcher.reasoning import open_reasoning, reasoning_markers
from launcher.structured_output import AfterReasoning, has_tokens

WORDS = ["<think>", "</think>", "<|channel>", "<channel|>", "thought", "a", "{", "}"]
ADDED = 4
"""The first words are special tokens of the model; this is their number."""
GEMMA = ("<|channel>thought", "<channel|>")
QWEN = ("<think>", "</think>")


class Tokenizer:
    """Has a token for each word, and one for all other characters."""

    def __init__(self) -> None:
        self.added_tokens_decoder = dict(enumerate(WORDS[:ADDED]))

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        ids = []
        while text:
            word = next((word for word in WORDS if text.startswith(word)), text[0])
            ids.append(WORDS.index(word) if word in WORDS else 99)
            text = text.removeprefix(word)
        return ids

    def decode(self, ids: list[int]) -> str:
        return "".join(WORDS[token] for token in ids)


class Grammar:
    """Allows `{` only, and records the tokens it receives."""

    def __init__(self) -> None:
        self.seen: list[int | None] = []

    def reset(self) -> None:
        self.seen = []

    def __call__(self, _: mx.array, logits: mx.array) -> mx.array:
        return self.process_last_token(None, logits)

    def process_last_token(self, last_token: int | None, logits: mx.array) -> mx.array:
        self.seen.append(last_token)
        return mx.where(mx.arange(logits.shape[-1]) == WORDS.index("{"), logits, -mx.inf)


def allowed(opened: tuple[str, str] | None, said: list[str]) -> list[set[str]]:
    """The words that are allowed at each step of an answer."""
    processor = AfterReasoning(Grammar(), Tokenizer(), opened, reasoning_markers())
    steps = []
    logits = mx.zeros((1, len(WORDS)))
    for step, word in enumerate(["", *said]):
        if step == 0:
            masked = processor(mx.array([5]), logits)
        else:
            masked = processor.process_last_token(WORDS.index(word), logits)
        steps.append({WORDS[at] for at, value in enumerate(masked[0].tolist()) if value == 0})
    return steps


EVERYTHING = set(WORDS)


def test_a_grammar_starts_after_the_reasoning_of_the_prompt():
    assert allowed(QWEN, ["a", "</think>", "{"]) == [EVERYTHING, EVERYTHING, {"{"}, {"{"}]


def test_a_model_with_thinking_enabled_may_start_with_reasoning():
    begins = {"<think>", "<|channel>", "{"}
    assert allowed(None, ["<|channel>", "thought", "a", "<channel|>"]) == [
        begins,
        *[EVERYTHING] * 3,
        {"{"},
    ]


def test_without_reasoning_the_grammar_applies_from_the_first_token():
    assert allowed(None, ["{"])[1] == {"{"}


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("<|im_start|>assistant\n<think>\n", QWEN),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", None),
        ("Write <think> here.<|im_end|>\n<|im_start|>assistant\n", None),
        ("<|channel>thought\n", GEMMA),
        ("[THINK]", ("[THINK]", "[/THINK]")),
        ("[mine", ("[mine", "mine]")),
    ],
)
def test_open_reasoning_is_found_at_the_end_of_the_prompt(prompt, expected):
    assert open_reasoning(prompt, False, "[mine", "mine]") == expected


def test_reasoning_can_start_only_with_a_special_token_of_the_model():
    assert has_tokens(Tokenizer(), QWEN)
    assert not has_tokens(Tokenizer(), ("thought", "a"))

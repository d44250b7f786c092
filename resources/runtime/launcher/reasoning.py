"""The markers around reasoning in prompts and answers."""

from typing import Any

from mlx_vlm.server.responses_state import ThinkingStreamState

Markers = tuple[str, str]
"""What starts reasoning, and what ends it."""

OTHER_MARKERS: tuple[Markers, ...] = (
    ("<mm:think>", "</mm:think>"),
    ("[THINK]", "[/THINK]"),
    ("<longcat_think>", "</longcat_think>"),
    ("<|channel|>analysis<|message|>", "<|end|>"),
)
"""Markers that mlx_vlm knows only through its settings."""


def reasoning_markers(
    start: str | None = None, end: str | None = None, processor: Any = None
) -> tuple[Markers, ...]:
    """All pairs of markers, the request's own first. With a processor, OTHER_MARKERS are included
    only if its tokenizer has such a token."""
    known = ThinkingStreamState._build_open_close_markers(start, end)
    tokenizer = getattr(processor, "tokenizer", processor)
    added = [str(token) for token in getattr(tokenizer, "added_tokens_decoder", {}).values()]
    others = [
        pair
        for pair in OTHER_MARKERS
        if not added or any(pair[0].startswith(token) for token in added)
    ]
    return (*known, *(pair for pair in others if pair not in known))


def open_reasoning(
    prompt: Any, _enable_thinking: bool = False, start: str | None = None, end: str | None = None
) -> Markers | None:
    """The markers of the reasoning that a prompt ends in. Replaces `prompt_has_open_thinking`."""
    if not isinstance(prompt, str):
        return None
    text = prompt.rstrip()
    return next((pair for pair in reasoning_markers(start, end) if text.endswith(pair[0])), None)

"""Connects AnswerReader to mlx_vlm's chat endpoint, by replacing the functions and classes with
which that endpoint splits an answer."""

from contextvars import ContextVar
from typing import Any

from mlx_vlm.server import openai
from mlx_vlm.server.responses_state import ThinkingStreamDelta
from mlx_vlm.tools import ParseResult

from launcher import tool_calls
from launcher.answer_reader import AnswerReader
from launcher.patching import require_parameters
from launcher.reasoning import Markers, open_reasoning, reasoning_markers
from launcher.requests_in_flight import current_call
from launcher.tool_calls import CallReader

REPLACED = {
    "ThinkingStreamState": ("enable_thinking", "thinking_start_token", "thinking_end_token"),
    "make_response_stream_state": ("processor", "enable_thinking"),
    "prompt_has_open_thinking": ("prompt", "enable_thinking"),
    "ToolCallDeltaState": ("module", "tools"),
    "ToolCallStreamState": ("tc_start", "tc_end"),
    "process_tool_calls": ("model_output", "tool_module", "tools"),
    "finish_content_streams": ("thinking_state", "tool_call_state"),
}
"""Names in mlx_vlm's chat endpoint, with the first parameters that they take."""


def patch() -> None:
    """Patches mlx_vlm. Raises FatalError if its version is not supported."""
    for name, parameters in REPLACED.items():
        require_parameters(openai, name, parameters)
    tool_calls.patch()
    openai.prompt_has_open_thinking = open_reasoning
    openai.ToolCallDeltaState = CallDeltas
    openai.ThinkingStreamState = NoReasoning
    openai.make_response_stream_state = ReaderState
    openai.ToolCallStreamState = UnchangedContent
    openai.process_tool_calls = complete_calls


class CallDeltas:
    """Replaces `ToolCallDeltaState`, which the endpoint creates first: returns the deltas of the
    calls that the reader has found."""

    def __init__(self, module: Any, tools: Any) -> None:
        self.calls = CallReader(module, tools) if module is not None and tools else None
        self.pending: list[dict] = []
        self.reader: AnswerReader | None = None
        _deltas.set(self)

    def feed(self, _text: str | None) -> list[dict]:
        taken, self.pending = self.pending, []
        return taken

    def finish(self, _calls: Any) -> list[dict]:
        return self.feed(None)


_deltas: ContextVar[CallDeltas] = ContextVar("call_deltas")
"""Those of the stream that this task writes. A stream has one generation."""


class NoReasoning:
    """Replaces the `ThinkingStreamState` that keeps reasoning from mlx_vlm's call parser."""

    def __init__(self, *_: Any) -> None:
        pass

    def feed(self, _text: str, last: bool = False) -> ThinkingStreamDelta:
        return ThinkingStreamDelta()


class ReaderState:
    """Replaces `make_response_stream_state`: passes the answer to the reader."""

    def __init__(
        self,
        processor: Any,
        opened: Markers | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> None:
        self._deltas = _deltas.get()
        markers = reasoning_markers(start, end, processor)
        self._deltas.reader = AnswerReader(opened, markers, self._deltas.calls)

    def feed(self, text: str, last: bool = False) -> ThinkingStreamDelta:
        call = current_call.get()
        finish = ((call and call.finish_reason) or "stop") if last else None
        piece = self._deltas.reader.feed(text, finish)
        self._deltas.pending += piece.calls
        return ThinkingStreamDelta(piece.reasoning or None, piece.content or None)


class UnchangedContent:
    """Replaces `ToolCallStreamState`, which removes calls from the text. The reader did that."""

    def __init__(self, *_: Any) -> None:
        self.finished = False

    def feed(self, text: str | None, last: bool = False) -> str | None:
        self.finished = self.finished or last
        return text


def complete_calls(_output: str, _module: Any, _tools: Any) -> ParseResult:
    """Replaces `process_tool_calls`. Returns no calls if the length limit cut the answer off, so
    that mlx_vlm reports "length" as the finish reason instead of "tool_calls"."""
    reader = _deltas.get().reader
    is_cut_off = reader is None or reader.finish == "length"
    return ParseResult(calls=[] if is_cut_off else reader.complete_calls, remaining_text="")

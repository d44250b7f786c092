"""Tells an answer's thoughts, text and tool calls apart, in place of mlx_vlm's own classes.

mlx_vlm 0.7.10 takes a thought's marker anywhere for the start of a thought, looks for calls inside
thoughts, and raises when a call is cut or malformed, after a stream has sent a part of it. Here:

- A thought begins in the prompt or at the very start of the answer, nowhere else.
- A call inside a finished thought is a part of that thought. If the thought never ends although the
  answer does, the model forgot to end it, and the call is one.
- A call that the length limit cuts is sent as far as it came, never complete.
- A call that cannot be read is text.

`tool_calls` reads the calls, with mlx_vlm's parsers. This module does not touch HTTP: mlx_vlm's
chat endpoint drives it through the names that `patch` replaces.
"""

import inspect
import json
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from mlx_vlm.server import openai
from mlx_vlm.server.responses_state import ThinkingStreamDelta, ThinkingStreamState
from mlx_vlm.tools import ParseResult

from launcher import tool_calls
from launcher.other_version import other_version
from launcher.requests_in_flight import current_call
from launcher.tool_calls import CallReader, InsideValueError, WrittenCall

REPLACED = {
    "ThinkingStreamState": ("enable_thinking", "thinking_start_token", "thinking_end_token"),
    "make_response_stream_state": ("processor", "enable_thinking"),
    "prompt_has_open_thinking": ("prompt", "enable_thinking"),
    "ToolCallDeltaState": ("module", "tools"),
    "ToolCallStreamState": ("tc_start", "tc_end"),
    "process_tool_calls": ("model_output", "tool_module", "tools"),
    "finish_content_streams": ("thinking_state", "tool_call_state"),
}
"""Names in mlx_vlm's chat endpoint, and the first parameters that they take."""

FURTHER_THOUGHTS = (
    ("<mm:think>", "</mm:think>"),
    ("[THINK]", "[/THINK]"),
    ("<longcat_think>", "</longcat_think>"),
    ("<|channel|>analysis<|message|>", "<|end|>"),
)
"""Markers of thoughts that mlx_vlm leaves to its settings."""

OPENINGS = (
    "<|START_TEXT|>",
    "<|start|>assistant<|channel|>final<|message|>",
    "<|start|>assistant<|channel|>commentary<|message|>",
    "<|channel|>final<|message|>",
    "<|channel|>commentary<|message|>",
    "<|start|>assistant",
)
"""What stands before an answer's text in some formats, and is no part of it."""
ENDINGS = ("<|END_TEXT|>",)
HARMONY_ENDINGS = ("<|end|><|start|>assistant", "<|start|>assistant", "<|end|>")
"""What stands after a text, at the end of the answer or before a call, and is no part of it."""

HELD_CHARACTERS = 256
"""So much of a call is held back before its arguments are sent as they come. What has been sent
cannot be taken back, and most calls that cannot be read are shorter."""

Markers = tuple[str, str]


@dataclass
class Piece:
    """What a part of the answer adds to what the client sees."""

    reasoning: str = ""
    content: str = ""
    calls: list[dict] = field(default_factory=list)


@dataclass
class SentCall:
    """A call that the client knows of."""

    index: int
    name: str
    arguments: str = ""


class AnswerReader:
    """Reads one answer as it comes.

    `opened` are the markers of the thought that the prompt ends in, `markers` those of every
    thought that there may be. Calls are looked for if there is a `reader`.
    """

    def __init__(
        self, opened: Markers | None, markers: tuple[Markers, ...], reader: CallReader | None
    ) -> None:
        self._markers = markers
        self._reader = reader
        self._start = reader.module.tool_call_start if reader else ""
        self._end = (reader.module.tool_call_end if reader else "") or "\n"
        is_harmony = reader is not None and reader.format == "harmony"
        self._endings = (*ENDINGS, *(HARMONY_ENDINGS if is_harmony else ()))
        self._ends_at_line = bool(reader) and not reader.module.tool_call_end
        self._thought = opened
        self._phase = "start" if opened is None else "thought"
        self._buffer = ""
        self._is_first = True
        """Whether nothing of the phase has been read."""
        self._space = ""
        self._shows_text = False
        self._searched = 0
        self._doubtful: tuple[int, int] | None = None
        self._sent: list[SentCall] = []
        self._sent_upto = 0
        self._is_stuck = False
        self._piece = Piece()
        self._count = 0
        self.complete_calls: list[dict] = []
        self.finish: str | None = None
        """Why the answer ended, if it has."""

    def feed(self, text: str, finish: str | None = None) -> Piece:
        """Reads on. `finish` is the reason for the end once there is one."""
        self._piece = Piece()
        self._buffer += text
        self.finish = finish
        while self._advance(finish):
            pass
        return self._piece

    def _advance(self, finish: str | None) -> bool:
        """Reads as far as is certain. Returns whether to go on with the rest of the buffer."""
        if self._phase == "start":
            return self._read_start(finish)
        if self._phase == "thought":
            return self._read_thought(finish)
        if self._phase == "text":
            return self._read_text(finish)
        return self._read_call(finish)

    # -- where the answer begins

    def _read_start(self, finish: str | None) -> bool:
        text = self._buffer.lstrip()
        for markers in self._markers:
            if text.startswith(markers[0]):
                self._thought = markers
                self._buffer = text[len(markers[0]) :]
                self._enter("thought")
                return True
        if finish is None and _may_start(text, [markers[0] for markers in self._markers]):
            return False
        self._enter("text")
        return True

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self._is_first = True

    # -- thoughts

    def _read_thought(self, finish: str | None) -> bool:
        start, end = self._thought
        if self._is_first:
            # Some models repeat the marker with which the prompt ends.
            text = self._buffer.lstrip()
            if finish is None and _may_start(text, [start]):
                return False
            self._buffer = text[len(start) :] if text.startswith(start) else self._buffer
            self._buffer = self._buffer.lstrip("\n")
            if finish is None and not self._buffer:
                return False
            self._is_first = False
        closing = self._buffer.find(end)
        if closing >= 0:
            self._piece.reasoning += self._buffer[:closing]
            self._buffer = self._buffer[closing + len(end) :]
            self._enter("text")
            return True
        at = self._buffer.find(self._start) if self._start else -1
        if finish is None:
            markers = [end, *([self._start] if self._start else [])]
            upto = at if at >= 0 else len(self._buffer) - _partial(self._buffer, markers)
            self._piece.reasoning += self._buffer[:upto]
            self._buffer = self._buffer[upto:]
            return False
        if finish == "length" or at < 0:
            self._piece.reasoning += self._buffer
            self._buffer = ""
            return False
        self._read_forgotten_calls(at)
        return False

    def _read_forgotten_calls(self, at: int) -> None:
        """The rest of a thought that the model forgot to end: its calls are calls, the text around
        them stays a thought."""
        self._piece.reasoning += self._buffer[:at]
        rest = AnswerReader(None, (), self._reader)
        rest._phase, rest._count = "text", self._count
        read = rest.feed(self._buffer[at:], "stop")
        self._buffer = ""
        self._piece.reasoning += read.content
        self._piece.calls += read.calls
        self.complete_calls += rest.complete_calls

    # -- text

    def _read_text(self, finish: str | None) -> bool:
        if self._is_first:
            text = self._buffer.lstrip("\n" if self._thought else "")
            if self._thought and not text and finish is None:
                return False
            stripped = text.lstrip()
            if finish is None and _may_start(stripped, OPENINGS):
                return False
            for opening in OPENINGS:
                if stripped.startswith(opening):
                    text = stripped[len(opening) :]
                    break
            self._buffer = text
            self._is_first = False
        at = self._buffer.find(self._start) if self._start else -1
        if at >= 0:
            self._show(self._before_ending(self._buffer[:at]))
            self._buffer = self._buffer[at + len(self._start) :]
            self._begin_call()
            return True
        if finish is not None:
            self._show(self._before_ending(self._buffer))
            self._buffer = ""
            if not self._count and not self.complete_calls:
                self._piece.content += self._space
                self._space = ""
            return False
        markers = [*self._endings, *([self._start] if self._start else [])]
        upto = len(self._buffer) - _partial(self._buffer, markers)
        # An ending counts at the end, and before what may become a call.
        begun = _partial(self._buffer, [self._start]) if self._start else 0
        for end in (len(self._buffer), len(self._buffer) - begun):
            upto = min(upto, len(self._before_ending(self._buffer[:end])))
        self._show(self._buffer[:upto])
        self._buffer = self._buffer[upto:]
        return False

    def _before_ending(self, text: str) -> str:
        """The text without what marks its end, if that is there."""
        stripped = text.rstrip()
        for ending in self._endings:
            if stripped.endswith(ending):
                return stripped.removesuffix(ending)
        return text

    def _show(self, text: str) -> None:
        """Sends text. Space at the end waits: beside a call it is layout, not text."""
        if not self._start:
            self._piece.content += text
            return
        if self._count and not self._shows_text:
            text = text.lstrip()
        body = (self._space + text).rstrip()
        space = (self._space + text)[len(body) :]
        if body:
            self._piece.content += body
            self._shows_text = True
        self._space = space

    # -- calls

    def _begin_call(self) -> None:
        self._phase = "call"
        self._searched = 0
        self._doubtful = None
        self._sent = []
        self._sent_upto = 0
        self._is_stuck = False

    def _read_call(self, finish: str | None) -> bool:
        if not self._reader.may_begin(self._buffer):
            return self._end_as_text(0, 0)
        while (found := self._next_marker()) is not None:
            at, length, marker = found
            try:
                read = self._reader.read(self._buffer[:at])
            except InsideValueError:
                # The marker may belong to the value that it stands in.
                if marker != "\n":
                    self._doubtful = self._doubtful or (at, length)
                self._searched = at + 1
                continue
            except ValueError:
                if marker == "\n":
                    self._searched = at + 1
                    continue
                return self._resolve(*(self._doubtful or (at, length)))
            return self._end_call(read, at, length)
        if finish is None:
            self._send_begun()
            return False
        if finish == "length":
            self._cut()
            return self._phase == "text"
        if self._doubtful is not None:
            return self._resolve(*self._doubtful)
        return self._resolve(len(self._buffer), 0, closed=False)

    def _next_marker(self) -> tuple[int, int, str] | None:
        """The next place where the call may end: its end marker, or the start of another."""
        places = [
            (at, len(self._end) if marker == self._end else 0, marker)
            for marker in (self._end, self._start)
            if (at := self._buffer.find(marker, self._searched)) >= 0
        ]
        if not places:
            longest = max(len(self._end), len(self._start))
            self._searched = max(self._searched, len(self._buffer) - longest)
        return min(places) if places else None

    def _resolve(self, at: int, length: int, closed: bool = True) -> bool:
        """Reads a call that is not complete by itself, or else takes it for text."""
        for repair in (False, True):
            try:
                read = self._reader.read(self._buffer[:at], repair=repair, closed=closed)
                return self._end_call(read, at, length)
            except ValueError:
                continue
        return self._end_as_text(at, length)

    def _end_call(self, read: tool_calls.Read, at: int, length: int) -> bool:
        body = self._buffer[:at]
        if not self._send_whole(read.calls, body):
            return self._end_as_text(at, length)
        self._buffer = read.rest + self._buffer[at + length :]
        self._space += " " if self._shows_text else ""
        if not self._shows_text:
            self._space = ""
        self._phase = "text"
        return True

    def _end_as_text(self, at: int, length: int) -> bool:
        """What has not been sent of the call becomes text. What was sent stays incomplete."""
        written = self._buffer[self._sent_upto : at]
        marker = self._buffer[at : at + length]
        self._show((self._start if not self._sent else "") + written + marker)
        self._buffer = self._buffer[at + length :]
        self._phase = "text"
        return True

    def _cut(self) -> None:
        """The limit ended the answer within a call."""
        self._send_begun(at_once=True)
        if self._sent:
            self._buffer = ""
            return
        self._show(self._start + self._buffer)
        self._buffer = ""
        self._phase = "text"

    def _send_begun(self, at_once: bool = False) -> None:
        """Sends what is certain of the arguments."""
        if self._is_stuck or (len(self._buffer) < HELD_CHARACTERS and not at_once):
            return
        body = self._buffer[: len(self._buffer) - self._tail()]
        found = self._reader.begun(body)
        sent_before = sum(len(sent.arguments) for sent in self._sent)
        for place, (name, arguments) in enumerate(found):
            if place == len(self._sent):
                self._open(name)
            sent = self._sent[place]
            if sent.name != name or not arguments.startswith(sent.arguments):
                self._is_stuck = True
                return
            self._send(sent, arguments)
        if sum(len(sent.arguments) for sent in self._sent) > sent_before:
            self._sent_upto = len(self._reader.certain_part(body))

    def _tail(self) -> int:
        """Length of what may be the beginning of a marker at the end."""
        return _partial(self._buffer, [self._end, self._start])

    def _send_whole(self, calls: list[WrittenCall], body: str) -> bool:
        """Sends complete calls, of which a part may have been sent. Returns False if what was sent
        does not fit."""
        texts = [call.arguments for call in calls]
        if any(
            not text.startswith(sent.arguments)
            for text, sent in zip(texts, self._sent, strict=False)
        ):
            raw = self._reader.raw_arguments(body)
            is_same = len(raw) == len(calls) and all(map(_is_same_json, raw, texts))
            texts = raw if is_same else texts
        fits = len(self._sent) <= len(calls) and all(
            sent.name == call.name and text.startswith(sent.arguments)
            for sent, call, text in zip(self._sent, calls, texts, strict=False)
        )
        if not fits:
            return False
        for place, (call, text) in enumerate(zip(calls, texts, strict=True)):
            if place == len(self._sent):
                self._open(call.name)
            self._send(self._sent[place], text)
            self.complete_calls.append({"name": call.name, "arguments": text})
        return True

    def _open(self, name: str) -> None:
        sent = SentCall(self._count, name)
        self._count += 1
        self._sent.append(sent)
        self._piece.calls.append(
            {
                "index": sent.index,
                "id": f"call_{uuid.uuid4().hex}",
                "type": "function",
                "function": {"name": name, "arguments": ""},
            }
        )

    def _send(self, sent: SentCall, arguments: str) -> None:
        fragment = arguments[len(sent.arguments) :]
        sent.arguments = arguments
        if fragment:
            self._piece.calls.append({"index": sent.index, "function": {"arguments": fragment}})


def _may_start(text: str, markers: Any) -> bool:
    """Whether the text is the beginning of a marker, or of nothing yet."""
    return any(len(text) < len(marker) and marker.startswith(text) for marker in markers)


def _partial(text: str, markers: list[str]) -> int:
    """Length of the longest end of the text that a marker begins with."""
    longest = 0
    for marker in markers:
        for length in range(min(len(marker) - 1, len(text)), longest, -1):
            if text.endswith(marker[:length]):
                longest = length
                break
    return longest


def _is_same_json(written: str, text: str) -> bool:
    try:
        return json.loads(written) == json.loads(text)
    except (ValueError, RecursionError):
        return False


# -- in the place of mlx_vlm's classes


def patch() -> None:
    """Changes mlx_vlm in place. Raises FatalError when it is another mlx_vlm than expected."""
    for name, parameters in REPLACED.items():
        held = getattr(openai, name, None)
        found = tuple(inspect.signature(held).parameters) if held is not None else ()
        if found[: len(parameters)] != parameters:
            raise other_version(f"openai.{name}({', '.join(parameters)}) is missing")
    tool_calls.patch()
    openai.prompt_has_open_thinking = opened_thought
    openai.ToolCallDeltaState = CallDeltas
    openai.ThinkingStreamState = NoThoughts
    openai.make_response_stream_state = Thoughts
    openai.ToolCallStreamState = ContentAsIs
    openai.process_tool_calls = complete_calls


def markers_of(
    start: str | None = None, end: str | None = None, processor: Any = None
) -> tuple[Markers, ...]:
    """Every pair of markers around a thought, the request's own first. Those of a few models only
    are left out for a model without such a token."""
    known = ThinkingStreamState._build_open_close_markers(start, end)
    tokenizer = getattr(processor, "tokenizer", processor)
    added = [str(token) for token in getattr(tokenizer, "added_tokens_decoder", {}).values()]
    further = [
        pair
        for pair in FURTHER_THOUGHTS
        if not added or any(pair[0].startswith(token) for token in added)
    ]
    return (*known, *(pair for pair in further if pair not in known))


def opened_thought(
    prompt: Any, _thinks: bool = False, start: str | None = None, end: str | None = None
) -> Markers | None:
    """The markers of the thought in which a prompt ends."""
    if not isinstance(prompt, str):
        return None
    text = prompt.rstrip()
    return next((pair for pair in markers_of(start, end) if text.endswith(pair[0])), None)


class CallDeltas:
    """For `ToolCallDeltaState`, which the endpoint makes first: the calls that the reader found."""

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


class NoThoughts:
    """For the `ThinkingStreamState` with which mlx_vlm keeps thoughts from its call parser."""

    def __init__(self, *_: Any) -> None:
        pass

    def feed(self, _text: str, last: bool = False) -> ThinkingStreamDelta:
        return ThinkingStreamDelta()


class Thoughts:
    """For `make_response_stream_state`: drives the reader."""

    def __init__(
        self,
        processor: Any,
        opened: Markers | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> None:
        self._deltas = _deltas.get()
        markers = markers_of(start, end, processor)
        self._deltas.reader = AnswerReader(opened, markers, self._deltas.calls)

    def feed(self, text: str, last: bool = False) -> ThinkingStreamDelta:
        call = current_call.get()
        finish = ((call and call.finish_reason) or "stop") if last else None
        piece = self._deltas.reader.feed(text, finish)
        self._deltas.pending += piece.calls
        return ThinkingStreamDelta(piece.reasoning or None, piece.content or None)


class ContentAsIs:
    """For `ToolCallStreamState`, which removes calls from the text: the reader has done so."""

    def __init__(self, *_: Any) -> None:
        self.finished = False

    def feed(self, text: str | None, last: bool = False) -> str | None:
        self.finished = self.finished or last
        return text


def complete_calls(_output: str, _module: Any, _tools: Any) -> ParseResult:
    """For `process_tool_calls`: the complete calls. None if the limit cut the answer, so that
    mlx_vlm reports that instead of `tool_calls`."""
    reader = _deltas.get().reader
    cut = reader is None or reader.finish == "length"
    return ParseResult(calls=[] if cut else reader.complete_calls, remaining_text="")

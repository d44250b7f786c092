"""Splits an answer into reasoning, text and tool calls, in place of mlx_vlm's own classes.

mlx_vlm 0.7.10 treats a reasoning marker anywhere as the start of reasoning, looks for calls inside
reasoning, and raises when a call is cut off or malformed, after part of it was streamed. Here:

- Reasoning starts in the prompt or at the very start of the answer, and nowhere else.
- A call inside finished reasoning is part of it. If the answer ends inside reasoning, the model
  forgot the end marker, and its calls are calls.
- A call cut off by the length limit is sent as far as it was written, and never as complete.
- A call that cannot be parsed is text.

`tool_calls.py` parses the calls, `call_sender.py` streams them, and `chat_endpoint.py` connects
the reader to mlx_vlm's chat endpoint.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from launcher.call_sender import CallSender
from launcher.reasoning import Markers
from launcher.tagged_calls import InsideValueError
from launcher.tool_calls import CallReader
from launcher.written_calls import Read

OPENINGS = (
    "<|START_TEXT|>",
    "<|start|>assistant<|channel|>final<|message|>",
    "<|start|>assistant<|channel|>commentary<|message|>",
    "<|channel|>final<|message|>",
    "<|channel|>commentary<|message|>",
    "<|start|>assistant",
)
"""Markers before the text of an answer in some formats. They are not part of it."""
ENDINGS = ("<|END_TEXT|>",)
HARMONY_ENDINGS = ("<|end|><|start|>assistant", "<|start|>assistant", "<|end|>")
"""Markers after the text, at the end of the answer or before a call. They are not part of it."""


@dataclass
class Piece:
    """What the client receives for one piece of the answer."""

    reasoning: str = ""
    content: str = ""
    calls: list[dict] = field(default_factory=list)


class AnswerReader:
    """Reads an answer piece by piece.

    `opened` are the markers of the reasoning that the prompt ends in, `markers` those of any
    reasoning that the answer may start with. Without a `reader`, there are no calls.
    """

    def __init__(
        self, opened: Markers | None, markers: tuple[Markers, ...], reader: CallReader | None
    ) -> None:
        self._markers = markers
        self._reader = reader
        self._calls = CallSender(reader)
        self._start = reader.start_marker if reader else ""
        self._end = (reader.end_marker if reader else "") or "\n"
        is_harmony = reader is not None and reader.format_name == "harmony"
        self._endings = (*ENDINGS, *(HARMONY_ENDINGS if is_harmony else ()))
        self._reasoning = opened
        self._phase = "start" if opened is None else "reasoning"
        self._is_phase_start = True
        """Whether nothing of the phase has been read."""
        self._buffer = ""
        self._pending_space = ""
        self._has_text = False
        self._searched = 0
        """Up to here a call has been searched for its end."""
        self._possible_end: tuple[int, int] | None = None
        """Place and length of the first end marker that may be part of a value instead."""
        self._piece = Piece()
        self.finish: str | None = None
        """Why the answer ended, once it has."""

    @property
    def complete_calls(self) -> list[dict]:
        return self._calls.complete

    def feed(self, text: str, finish: str | None = None) -> Piece:
        """Reads a piece. `finish` is the finish reason, with the last piece."""
        self._piece = Piece()
        self._buffer += text
        self.finish = finish
        while self._advance(finish):
            pass
        self._piece.calls += self._calls.take_deltas()
        return self._piece

    def _advance(self, finish: str | None) -> bool:
        """Reads what is certain. Returns whether to continue with the rest of the buffer."""
        if self._phase == "start":
            return self._read_start(finish)
        if self._phase == "reasoning":
            return self._read_reasoning(finish)
        if self._phase == "text":
            return self._read_text(finish)
        return self._read_call(finish)

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self._is_phase_start = True

    def _read_start(self, finish: str | None) -> bool:
        text = self._buffer.lstrip()
        for markers in self._markers:
            if text.startswith(markers[0]):
                self._reasoning = markers
                self._buffer = text[len(markers[0]) :]
                self._enter("reasoning")
                return True
        if finish is None and _may_become(text, [markers[0] for markers in self._markers]):
            return False
        self._enter("text")
        return True

    # -- reasoning

    def _read_reasoning(self, finish: str | None) -> bool:
        start, end = self._reasoning
        if self._is_phase_start:
            # Some models repeat the marker that the prompt ends with.
            text = self._buffer.lstrip()
            if finish is None and _may_become(text, [start]):
                return False
            self._buffer = text[len(start) :] if text.startswith(start) else self._buffer
            self._buffer = self._buffer.lstrip("\n")
            if finish is None and not self._buffer:
                return False
            self._is_phase_start = False
        closing = self._buffer.find(end)
        if closing >= 0:
            self._piece.reasoning += self._buffer[:closing]
            self._buffer = self._buffer[closing + len(end) :]
            self._enter("text")
            return True
        at = self._buffer.find(self._start) if self._start else -1
        if finish is None:
            markers = [end, *([self._start] if self._start else [])]
            upto = at if at >= 0 else len(self._buffer) - _partial_length(self._buffer, markers)
            self._piece.reasoning += self._buffer[:upto]
            self._buffer = self._buffer[upto:]
            return False
        if finish == "length" or at < 0:
            self._piece.reasoning += self._buffer
            self._buffer = ""
            return False
        self._read_calls_in_reasoning(at)
        return False

    def _read_calls_in_reasoning(self, at: int) -> None:
        """Reads the calls in reasoning without an end marker. The text around them is reasoning."""
        self._piece.reasoning += self._buffer[:at]
        rest = AnswerReader(None, (), self._reader)
        rest._phase, rest._calls = "text", self._calls
        read = rest.feed(self._buffer[at:], "stop")
        self._buffer = ""
        self._piece.reasoning += read.content
        self._piece.calls += read.calls

    # -- text

    def _read_text(self, finish: str | None) -> bool:
        if self._is_phase_start and not self._skip_opening(finish):
            return False
        at = self._buffer.find(self._start) if self._start else -1
        if at >= 0:
            self._show(self._without_ending(self._buffer[:at]))
            self._buffer = self._buffer[at + len(self._start) :]
            self._start_call()
            return True
        if finish is not None:
            self._show(self._without_ending(self._buffer))
            self._buffer = ""
            if not self._calls.count:
                self._piece.content += self._pending_space
                self._pending_space = ""
            return False
        markers = [*self._endings, *([self._start] if self._start else [])]
        upto = len(self._buffer) - _partial_length(self._buffer, markers)
        # Endings are removed at the end of the answer, and before what may become a call.
        partial = _partial_length(self._buffer, [self._start]) if self._start else 0
        for end in (len(self._buffer), len(self._buffer) - partial):
            upto = min(upto, len(self._without_ending(self._buffer[:end])))
        self._show(self._buffer[:upto])
        self._buffer = self._buffer[upto:]
        return False

    def _skip_opening(self, finish: str | None) -> bool:
        """Removes what stands before the text. Returns False if that is not certain yet."""
        text = self._buffer.lstrip("\n" if self._reasoning else "")
        if self._reasoning and not text and finish is None:
            return False
        stripped = text.lstrip()
        if finish is None and _may_become(stripped, OPENINGS):
            return False
        for opening in OPENINGS:
            if stripped.startswith(opening):
                text = stripped[len(opening) :]
                break
        self._buffer = text
        self._is_phase_start = False
        return True

    def _without_ending(self, text: str) -> str:
        stripped = text.rstrip()
        for ending in self._endings:
            if stripped.endswith(ending):
                return stripped.removesuffix(ending)
        return text

    def _show(self, text: str) -> None:
        """Sends text. Trailing space is held back: next to a call it is layout, not text."""
        if not self._start:
            self._piece.content += text
            return
        if self._calls.count and not self._has_text:
            text = text.lstrip()
        text = self._pending_space + text
        body = text.rstrip()
        if body:
            self._piece.content += body
            self._has_text = True
        self._pending_space = text[len(body) :]

    # -- calls

    def _start_call(self) -> None:
        self._phase = "call"
        self._searched = 0
        self._possible_end = None
        self._calls.start_block()

    def _read_call(self, finish: str | None) -> bool:
        if not self._reader.may_begin(self._buffer):
            return self._end_as_text(0, 0)
        while (found := self._next_marker()) is not None:
            at, length, marker = found
            try:
                read = self._reader.read(self._buffer[:at])
            except InsideValueError:
                # The marker may be part of that value.
                if marker != "\n":
                    self._possible_end = self._possible_end or (at, length)
                self._searched = at + 1
                continue
            except ValueError:
                if marker == "\n":
                    self._searched = at + 1
                    continue
                return self._repair(*(self._possible_end or (at, length)))
            return self._end_call(read, at, length)
        if finish is None:
            self._send_partial()
            return False
        if finish == "length":
            self._cut_off()
            return self._phase == "text"
        if self._possible_end is not None:
            return self._repair(*self._possible_end)
        return self._repair(len(self._buffer), 0, closed=False)

    def _next_marker(self) -> tuple[int, int, str] | None:
        """The next place where the call may end: its end marker, or the start of the next one."""
        places = [
            (at, len(self._end) if marker == self._end else 0, marker)
            for marker in (self._end, self._start)
            if (at := self._buffer.find(marker, self._searched)) >= 0
        ]
        if not places:
            longest = max(len(self._end), len(self._start))
            self._searched = max(self._searched, len(self._buffer) - longest)
        return min(places) if places else None

    def _repair(self, at: int, length: int, closed: bool = True) -> bool:
        """Reads a call that may need repairing, or else treats it as text."""
        for repair in (False, True):
            try:
                read = self._reader.read(self._buffer[:at], repair=repair, closed=closed)
                return self._end_call(read, at, length)
            except ValueError:
                continue
        return self._end_as_text(at, length)

    def _end_call(self, read: Read, at: int, length: int) -> bool:
        if not self._calls.send_complete(read.calls, self._buffer[:at]):
            return self._end_as_text(at, length)
        self._buffer = read.rest + self._buffer[at + length :]
        self._pending_space = self._pending_space + " " if self._has_text else ""
        self._phase = "text"
        return True

    def _end_as_text(self, at: int, length: int) -> bool:
        """Sends the unsent part of a call as text. The sent part stays incomplete."""
        written = self._buffer[self._calls.sent_length : at]
        marker = self._buffer[at : at + length]
        self._show(("" if self._calls.has_sent else self._start) + written + marker)
        self._buffer = self._buffer[at + length :]
        self._phase = "text"
        return True

    def _cut_off(self) -> None:
        """Handles a call that the length limit has cut off."""
        self._send_partial(is_last=True)
        if not self._calls.has_sent:
            self._show(self._start + self._buffer)
            self._phase = "text"
        self._buffer = ""

    def _send_partial(self, *, is_last: bool = False) -> None:
        # The end of the buffer may be the start of a marker.
        partial = _partial_length(self._buffer, [self._end, self._start])
        self._calls.send_partial(self._buffer[: len(self._buffer) - partial], is_last=is_last)


def _may_become(text: str, markers: Iterable[str]) -> bool:
    """Whether the text is a proper prefix of a marker, or empty."""
    return any(len(text) < len(marker) and marker.startswith(text) for marker in markers)


def _partial_length(text: str, markers: list[str]) -> int:
    """Length of the longest proper prefix of a marker that the text ends with."""
    longest = 0
    for marker in markers:
        for length in range(min(len(marker) - 1, len(text)), longest, -1):
            if text.endswith(marker[:length]):
                longest = length
                break
    return longest

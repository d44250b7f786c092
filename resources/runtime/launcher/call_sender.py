"""Streams the tool calls of an answer as deltas, in OpenAI's format."""

import json
import uuid
from dataclasses import dataclass

from launcher.tool_calls import CallReader
from launcher.written_calls import WrittenCall

HELD_CHARACTERS = 256
"""A call shorter than this is sent only once it is complete. What has been sent cannot be taken
back, and most calls that turn out to be invalid are shorter."""


@dataclass
class SentCall:
    """A call of which the client has received at least the name."""

    index: int
    name: str
    arguments: str = ""


class CallSender:
    """Sends calls while they are being written, block by block: a block is the text between a start
    marker and its end, and holds one or more calls."""

    def __init__(self, reader: CallReader | None) -> None:
        self._reader = reader
        self._deltas: list[dict] = []
        self._block: list[SentCall] = []
        self._is_inconsistent = False
        self.sent_length = 0
        """How much of the block's text the client has received as arguments."""
        self.count = 0
        self.complete: list[dict] = []
        """Name and arguments of each complete call."""

    def take_deltas(self) -> list[dict]:
        taken, self._deltas = self._deltas, []
        return taken

    def start_block(self) -> None:
        self._block = []
        self._is_inconsistent = False
        self.sent_length = 0

    @property
    def has_sent(self) -> bool:
        """Whether a call of this block has been sent, completely or not."""
        return bool(self._block)

    def send_partial(self, body: str, *, is_last: bool = False) -> None:
        """Sends the arguments of an unfinished block as far as they are certain. Short blocks are
        held back, unless this `is_last`."""
        if self._is_inconsistent or (len(body) < HELD_CHARACTERS and not is_last):
            return
        sent_before = sum(len(sent.arguments) for sent in self._block)
        for place, (name, arguments) in enumerate(self._reader.partial(body)):
            if place == len(self._block):
                self._open(name)
            sent = self._block[place]
            if sent.name != name or not arguments.startswith(sent.arguments):
                self._is_inconsistent = True
                return
            self._send(sent, arguments)
        if sum(len(sent.arguments) for sent in self._block) > sent_before:
            self.sent_length = len(self._reader.certain_prefix(body))

    def send_complete(self, calls: list[WrittenCall], body: str) -> bool:
        """Sends the rest of a block's complete calls. Returns False, and sends nothing, if they
        contradict what has been sent."""
        texts = [call.arguments for call in calls]
        if any(
            not text.startswith(sent.arguments)
            for text, sent in zip(texts, self._block, strict=False)
        ):
            raw = self._reader.raw_arguments(body)
            is_same = len(raw) == len(calls) and all(map(_is_same_json, raw, texts))
            texts = raw if is_same else texts
        fits = len(self._block) <= len(calls) and all(
            sent.name == call.name and text.startswith(sent.arguments)
            for sent, call, text in zip(self._block, calls, texts, strict=False)
        )
        if not fits:
            return False
        for place, (call, text) in enumerate(zip(calls, texts, strict=True)):
            if place == len(self._block):
                self._open(call.name)
            self._send(self._block[place], text)
            self.complete.append({"name": call.name, "arguments": text})
        return True

    def _open(self, name: str) -> None:
        sent = SentCall(self.count, name)
        self.count += 1
        self._block.append(sent)
        self._deltas.append(
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
            self._deltas.append({"index": sent.index, "function": {"arguments": fragment}})


def _is_same_json(written: str, text: str) -> bool:
    try:
        return json.loads(written) == json.loads(text)
    except (ValueError, RecursionError):
        return False

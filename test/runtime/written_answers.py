"""Runs mlx_vlm's chat endpoint in this process, with given text instead of a generation."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from mlx_vlm.server import openai
from mlx_vlm.server.generation import GenerationArguments, GenerationContext, StreamingToken
from mlx_vlm.server.runtime import runtime
from mlx_vlm.server.schemas import ChatRequest

from launcher import chat_endpoint, tool_calls
from launcher.requests_in_flight import Call, current_call

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "days": {"type": "integer"},
                    "note": {"type": ["string", "null"]},
                },
            },
        },
    },
    {
        "type": "function",
        "function": {"name": "now", "parameters": {"type": "object", "properties": {}}},
    },
]


@dataclass
class Answer:
    """A complete streamed answer."""

    content: str = ""
    reasoning: str = ""
    calls: list[dict] = field(default_factory=list)
    finish_reason: str | None = None
    error: str | None = None
    chunks: list[dict] = field(default_factory=list)

    def add(self, chunk: dict) -> None:
        self.chunks.append(chunk)
        self.error = chunk.get("error", self.error)
        for choice in chunk.get("choices", ()):
            delta = choice["delta"]
            self.content += delta.get("content") or ""
            self.reasoning += delta.get("reasoning") or ""
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            for part in delta.get("tool_calls") or ():
                if part["index"] == len(self.calls):
                    self.calls.append({"id": part["id"], "name": "", "arguments": ""})
                call, function = self.calls[part["index"]], part["function"]
                call["name"] += function.get("name") or ""
                call["arguments"] += function.get("arguments") or ""

    @property
    def complete(self) -> list[tuple[str, dict]]:
        """The calls whose arguments are a JSON object."""
        read = [(call["name"], _json(call["arguments"])) for call in self.calls]
        return [(name, given) for name, given in read if isinstance(given, dict)]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


async def in_this_thread(call: Any, *args: Any, **kwargs: Any) -> Any:
    """Replaces `asyncio.to_thread`, which would take most of the time although nothing blocks."""
    return call(*args, **kwargs)


class Endpoint:
    """Answers as if the model had generated the given pieces."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for holder, names in {**tool_calls.PATCHED, openai: chat_endpoint.REPLACED}.items():
            for name in names:
                monkeypatch.setattr(holder, name, getattr(holder, name))
        chat_endpoint.patch()
        for name, value in {
            "get_cached_model": lambda *_, **__: (None, SimpleNamespace(), None),
            "apply_chat_template": lambda *_, **__: self._prompt,
            "_infer_tool_parser_from_processor": lambda *_, **__: self._parser,
            "_build_gen_args": lambda *_, **__: GenerationArguments(max_tokens=1),
        }.items():
            monkeypatch.setattr(openai, name, value)
        monkeypatch.setattr(runtime, "response_generator", self)
        monkeypatch.setattr(asyncio, "to_thread", in_this_thread)
        self.tokenizer = None

    def validate_context_budget(self, *_: Any, **__: Any) -> None:
        pass

    def generate(self, *_: Any, **__: Any) -> tuple[GenerationContext, Iterator]:
        return GenerationContext(1, 1), self._tokens()

    def _tokens(self) -> Iterator[StreamingToken]:
        for piece in self._pieces:
            yield StreamingToken(piece, 1, 0.0, None)
        current_call.get().finish_reason = self._finish
        yield StreamingToken("", 1, 0.0, self._finish)

    def answer(
        self,
        pieces: list[str],
        *,
        parser: str | None = None,
        finish: str = "stop",
        opened: str = "",
        tools: list[dict] | None = TOOLS,
    ) -> Answer:
        self._pieces, self._parser, self._finish = pieces, parser, finish
        self._prompt = f"<|im_start|>assistant\n{opened}"
        return asyncio.run(self._answer(tools if parser else None))

    async def _answer(self, tools: list[dict] | None) -> Answer:
        token = current_call.set(Call("test"))
        try:
            request = ChatRequest.model_validate(
                {
                    "model": "demo",
                    "stream": True,
                    "context_management": [],
                    "messages": [{"role": "user", "content": "Hello."}],
                    **({"tools": tools} if tools else {}),
                }
            )
            http_request = SimpleNamespace(headers={}, app=None)
            response = await openai.chat_completions_endpoint(request, http_request)
            answer = Answer()
            async for event in response.body_iterator:
                for line in event.splitlines():
                    if line.startswith("data: {"):
                        answer.add(json.loads(line.removeprefix("data: ")))
            return answer
        finally:
            current_call.reset(token)

"""Counts the tokens of a prompt, images included, without generating.

The request takes mlx_vlm's own way through its chat endpoint up to the place where it checks a
stream's length (`_preflight_stream_context_budget`). There the prompt is preprocessed as for a
generation, counted, and dropped.
"""

import asyncio
from contextvars import ContextVar
from typing import Any

from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse
from mlx_vlm.server import generation, openai
from mlx_vlm.server.runtime import runtime
from mlx_vlm.server.schemas import ChatRequest

from launcher.other_version import other_version

PREFLIGHT = "_preflight_stream_context_budget"

_counting: ContextVar[bool] = ContextVar("counting", default=False)


class Counted(HTTPException):
    """Ends a request that was only counted. mlx_vlm's endpoint lets HTTPException pass."""

    def __init__(self, tokens: int) -> None:
        super().__init__(status_code=200)
        self.tokens = tokens


def patch() -> None:
    """Changes mlx_vlm in place. Raises FatalError for an unexpected version of mlx_vlm."""
    preflight = getattr(openai, PREFLIGHT, None)
    if preflight is None or not hasattr(generation, "_count_prompt_tokens"):
        raise other_version(f"openai.{PREFLIGHT} is missing")

    async def count_or_check(**request: Any) -> None:
        if not _counting.get():
            await preflight(**request)
            return
        try:
            tokens = await asyncio.to_thread(_count, request)
        finally:
            _forget_request()
        raise Counted(tokens)

    setattr(openai, PREFLIGHT, count_or_check)


async def count_tokens(request: ChatRequest, http_request: Request) -> JSONResponse:
    """A route: takes the body of a chat completion that streams."""
    token = _counting.set(True)
    try:
        await openai.chat_completions_endpoint(request, http_request)
    except Counted as counted:
        return JSONResponse({"prompt_tokens": counted.tokens})
    finally:
        _counting.reset(token)
    raise HTTPException(status_code=500, detail="The prompt was not counted.")


def _count(request: dict) -> int:
    generator = runtime.response_generator
    generator.wait_until_ready()
    # As in `ResponseGenerator.generate`: the tokenizer is not safe for several threads.
    with generator._tokenizer_lock:
        inputs = generator._preprocess_request(
            request["prompt"],
            request.get("images"),
            request.get("audio"),
            request.get("videos"),
            **request["args"].preprocessing_kwargs(),
        )
    return int(generation._count_prompt_tokens(inputs))


def _forget_request() -> None:
    """Reverts what mlx_vlm's metrics counted for the stream."""
    metrics = runtime.metrics
    with metrics._lock:
        metrics._requests_started -= 1
        metrics._streaming_requests -= 1
        metrics._in_flight = max(0, metrics._in_flight - 1)

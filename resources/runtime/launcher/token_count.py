"""Counts the tokens of a prompt, including its images, without generating.

The request runs through mlx_vlm's chat endpoint up to its check of a stream's length
(`_preflight_stream_context_budget`). There the prompt is preprocessed as for a generation, counted,
and discarded.
"""

import asyncio
from contextvars import ContextVar
from typing import Any

from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse
from mlx_vlm.server import generation, openai
from mlx_vlm.server.runtime import runtime
from mlx_vlm.server.schemas import ChatRequest

from launcher.patching import require_names

PREFLIGHT = "_preflight_stream_context_budget"

_counting: ContextVar[bool] = ContextVar("counting", default=False)


class Counted(HTTPException):
    """Ends a request after counting. mlx_vlm's endpoint does not catch HTTPException."""

    def __init__(self, tokens: int) -> None:
        super().__init__(status_code=200)
        self.tokens = tokens


def patch() -> None:
    """Patches mlx_vlm. Raises FatalError if its version is not supported."""
    require_names({openai: (PREFLIGHT,), generation: ("_count_prompt_tokens",)})
    preflight = getattr(openai, PREFLIGHT)

    async def count_or_check(**request: Any) -> None:
        if not _counting.get():
            await preflight(**request)
            return
        try:
            tokens = await asyncio.to_thread(_count, request)
        finally:
            _revert_metrics()
        raise Counted(tokens)

    setattr(openai, PREFLIGHT, count_or_check)


async def count_tokens(request: ChatRequest, http_request: Request) -> JSONResponse:
    """A route. Its body is that of a streaming chat completion."""
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
    # As in `ResponseGenerator.generate`: the tokenizer is not thread-safe.
    with generator._tokenizer_lock:
        inputs = generator._preprocess_request(
            request["prompt"],
            request.get("images"),
            request.get("audio"),
            request.get("videos"),
            **request["args"].preprocessing_kwargs(),
        )
    return int(generation._count_prompt_tokens(inputs))


def _revert_metrics() -> None:
    """Removes the stream from mlx_vlm's metrics."""
    metrics = runtime.metrics
    with metrics._lock:
        metrics._requests_started -= 1
        metrics._streaming_requests -= 1
        metrics._in_flight = max(0, metrics._in_flight - 1)

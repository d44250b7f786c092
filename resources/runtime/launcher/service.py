"""Serves mlx_vlm's app with uvicorn, with additional routes for the gateway and the supervisor."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import anyio
import mlx.core as mx
import uvicorn
from fastapi import Response
from fastapi.responses import JSONResponse
from mlx_vlm.server.app import app
from mlx_vlm.server.runtime import runtime
from starlette.responses import StreamingResponse

from launcher.generation_thread import progress, requests
from launcher.model import memory_bytes
from launcher.requests_in_flight import Call, RequestPool, current_call
from launcher.token_count import count_tokens

GRACE_SECONDS = 1.0
"""How long streams may continue after SIGTERM before they are cancelled."""

EXIT_SECONDS = 1.8
"""The process exits this long after SIGTERM, even if something hangs."""

REPORTED_CHANGE = 0.02
"""The share by which memory use must have changed since it was last reported."""


def serve(listener: socket.socket, *, on_ready: Callable[[], None]) -> None:
    """Returns after SIGTERM, once all generations have ended."""
    close_cancelled_streams()
    app.add_middleware(TrackRequests)
    app.add_api_route("/sightglass/requests/{request_id:path}/ended", wait_ended, methods=["GET"])
    app.add_api_route("/sightglass/tokens", count_tokens, methods=["POST"], response_model=None)
    app.add_api_route("/sightglass/progress", report_progress, methods=["GET"])
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # The gateway reuses its connections. A shorter timeout could close one as it sends.
        timeout_keep_alive=24 * 3600,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    asyncio.run(PrivateServer(config, on_ready).serve(sockets=[listener]))
    if runtime.response_generator is not None:
        runtime.response_generator.stop_and_join(timeout=GRACE_SECONDS / 2)


class PrivateServer(uvicorn.Server):
    """Calls `on_ready` once it accepts connections, and shuts down on SIGTERM only."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_default_executor(RequestPool(requests))
        await super().startup(sockets)
        self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        signal.signal(signal.SIGTERM, self._terminate)
        yield

    def _terminate(self, *_: Any) -> None:
        deadline = threading.Timer(EXIT_SECONDS, os._exit, args=[0])
        deadline.daemon = True
        deadline.start()
        self.should_exit = True


class TrackRequests:
    """Middleware that makes the gateway's request id available to the threads working on it."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        if scope.get("method") != "POST":
            await self._app(scope, receive, send)
            return
        name = dict(scope["headers"]).get(b"x-request-id")
        call = Call(uuid4().hex if name is None else name.decode("latin-1"))
        requests.hold(call.request_id)
        token = current_call.set(call)
        try:
            await self._app(scope, receive, with_prompt_usage(send, call.request_id))
        finally:
            current_call.reset(token)
            call.end()
            requests.release(call.request_id)


def with_prompt_usage(send: Any, request_id: str) -> Any:
    """Inserts an event with the prompt's usage before the first event of a stream: Anthropic's API
    reports it at the start, mlx_vlm at the end."""
    is_stream = False

    async def send_usage_first(message: dict) -> None:
        nonlocal is_stream
        if message["type"] == "http.response.start":
            kind = dict(message["headers"]).get(b"content-type", b"")
            is_stream = kind.startswith(b"text/event-stream")
        elif is_stream and message.get("body"):
            is_stream = False
            if (usage := requests.usage(request_id)) is not None:
                event = json.dumps({"choices": [], "prompt": usage.to_openai()})
                message = {**message, "body": f"data: {event}\n\n".encode() + message["body"]}
        await send(message)

    return send_usage_first


def close_cancelled_streams() -> None:
    """Patches Starlette to close a stream's generator as soon as its client disconnects.

    Starlette leaves the generator of a cancelled response to the garbage collector
    (`stream_response` of its `responses.py`). Until mlx_vlm's generator is closed, it counts its
    request as in flight.
    """
    stream_response = StreamingResponse.stream_response

    async def stream_and_close(self: StreamingResponse, send: Any) -> None:
        try:
            await stream_response(self, send)
        finally:
            close = getattr(self.body_iterator, "aclose", None)
            if close is not None:
                with anyio.CancelScope(shield=True):
                    await close()

    StreamingResponse.stream_response = stream_and_close


async def wait_ended(request_id: str) -> Response:
    """Responds once no thread is working on the request, with its usage if it generated."""
    usage = await requests.wait_ended(request_id)
    return Response(status_code=204) if usage is None else JSONResponse(usage.to_openai())


class MemoryReporter:
    """Reports the memory in use when it has changed noticeably. May be called from any thread."""

    def __init__(self, reported: int, report: Callable[[int], None]) -> None:
        self._reported = reported
        self._report = report
        self._lock = threading.Lock()

    def report_if_changed(self) -> None:
        with self._lock:
            memory = memory_bytes()
            if abs(memory - self._reported) > self._reported * REPORTED_CHANGE:
                self._reported = memory
                self._report(memory)


async def report_progress() -> dict[str, int]:
    """Lets the supervisor distinguish a long prefill from a hang."""
    memory = memory_bytes()
    return {
        "steps": progress.steps,
        "active": requests.generating,
        "memory_bytes": memory,
        # MLX's own peak excludes the buffers that it caches.
        "peak_memory_bytes": max(mx.get_peak_memory(), memory),
    }

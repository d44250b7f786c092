"""Serves mlx_vlm's own app with uvicorn, and routes for what its HTTP lacks."""

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

import mlx.core as mx
import uvicorn
from fastapi import Response
from fastapi.responses import JSONResponse
from mlx_vlm.server.app import app
from mlx_vlm.server.runtime import runtime

from launcher.memory import memory_bytes
from launcher.requests_in_flight import Call, RequestPool, current_call
from launcher.token_count import count_tokens
from launcher.upstream import progress, requests

GRACE_SECONDS = 1.0
"""How long streams may go on after SIGTERM before they are cancelled."""

LAST_SECONDS = 1.8
"""The process is gone so long after SIGTERM, whatever hangs."""


def serve(listener: socket.socket, *, on_ready: Callable[[], None]) -> None:
    """Returns after SIGTERM, when the generations have ended."""
    app.add_middleware(NameRequests)
    app.add_api_route("/sightglass/requests/{request_id:path}/ended", ended, methods=["GET"])
    app.add_api_route("/sightglass/tokens", count_tokens, methods=["POST"], response_model=None)
    app.add_api_route("/sightglass/progress", tell_progress, methods=["GET"])
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # The gateway keeps its connections; were they closed here, a request could meet its end.
        timeout_keep_alive=24 * 3600,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    asyncio.run(PrivateServer(config, on_ready).serve(sockets=[listener]))
    if runtime.response_generator is not None:
        runtime.response_generator.stop_and_join(timeout=GRACE_SECONDS / 2)


class PrivateServer(uvicorn.Server):
    """Reports when it accepts connections, and ends on SIGTERM only."""

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
        last = threading.Timer(LAST_SECONDS, os._exit, args=[0])
        last.daemon = True
        last.start()
        self.should_exit = True


class NameRequests:
    """Puts the gateway's id of a request where the threads that work for it can read it."""

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
            await self._app(scope, receive, with_prompt(send, call.request_id))
        finally:
            current_call.reset(token)
            call.end()
            requests.release(call.request_id)


def with_prompt(send: Any, request_id: str) -> Any:
    """Puts an event with the tokens of the prompt before the first one of a stream. mlx_vlm itself
    reports them at the end, and Anthropic's API at the start."""
    is_stream = False

    async def send_prompt_first(message: dict) -> None:
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

    return send_prompt_first


async def ended(request_id: str) -> Response:
    """Answers once no thread works for the request any more: with what it used, if it generated."""
    usage = await requests.ended(request_id)
    return Response(status_code=204) if usage is None else JSONResponse(usage.to_openai())


async def tell_progress() -> dict[str, int]:
    """Lets the supervisor tell a long prefill from a hang."""
    memory = memory_bytes()
    return {
        "steps": progress.steps,
        "active": requests.generating,
        "memory_bytes": memory,
        # MLX's own peak leaves out the buffers that it keeps.
        "peak_memory_bytes": max(mx.get_peak_memory(), memory),
    }

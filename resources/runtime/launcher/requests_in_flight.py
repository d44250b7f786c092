"""Tracks which of the gateway's requests are still in progress, across mlx_vlm's threads.

A request is identified by its `x-request-id`. It is in progress while its HTTP call is running,
while a thread of the event loop's pool works on it (reading images, tokenizing), and while the
generation thread has its generation. mlx_vlm cancels a generation at its next batch step, after the
client's connection has long been closed. Sometimes it does not cancel at all: a stream closed
between two tokens is left to the garbage collector, seconds and hundreds of tokens later. A call
that ends therefore cancels its generations itself.
"""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

KEPT_USAGES = 256
"""Number of ended requests whose usage is kept, for a gateway that asks afterwards."""

POOL_THREADS = 64
"""mlx_vlm blocks one thread per stream that waits for its next token."""


@dataclass
class Usage:
    """Tokens used by all generations of a request."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    def to_openai(self) -> dict[str, object]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        }


@dataclass
class Request:
    """A request in progress."""

    usage: Usage = field(default_factory=Usage)
    holds: int = 0
    waiters: list["Future[None]"] = field(default_factory=list)


@dataclass
class Call:
    """One HTTP call of a request. Its end cancels the generations that it started."""

    request_id: str
    ended: bool = False
    finish_reason: str | None = None
    """Of its generation, once that has finished."""
    cancels: list[Callable[[], None]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on_end(self, cancel: Callable[[], None]) -> None:
        """Calls `cancel` when the call ends, or now if it has ended."""
        with self._lock:
            if not self.ended:
                self.cancels.append(cancel)
                return
        cancel()

    def end(self) -> None:
        with self._lock:
            self.ended = True
        for cancel in self.cancels:
            cancel()


current_call: ContextVar[Call | None] = ContextVar("current_call", default=None)
"""The call that this task or thread is working on."""


def current_request_id() -> str | None:
    call = current_call.get()
    return call and call.request_id


class RequestsInFlight:
    """Counts what keeps each request open. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[str, Request] = {}
        self._usages: OrderedDict[str, Usage] = OrderedDict()
        self.generating = 0
        self.on_end: Callable[[], None] = lambda: None

    def hold(self, request_id: str | None) -> None:
        """Keeps a request open until `release` has been called as often as `hold`."""
        if request_id is not None:
            with self._lock:
                self._requests.setdefault(request_id, Request()).holds += 1

    def release(self, request_id: str | None) -> None:
        if request_id is None:
            return
        with self._lock:
            request = self._requests[request_id]
            request.holds -= 1
            if request.holds > 0:
                return
            del self._requests[request_id]
            if request.usage.prompt_tokens > 0:
                self._usages[request_id] = request.usage
            while len(self._usages) > KEPT_USAGES:
                self._usages.popitem(last=False)
        self.on_end()
        for waiter in request.waiters:
            if waiter.set_running_or_notify_cancel():
                waiter.set_result(None)

    def start_generation(self, request_id: str | None, *, prompt_tokens: int) -> None:
        """Called when a generation is queued for the generation thread."""
        self.hold(request_id)
        with self._lock:
            self.generating += 1
            if (request := self._requests.get(request_id or "")) is not None:
                request.usage.prompt_tokens += prompt_tokens

    def count(self, request_id: str | None, *, completion: int, cached: int) -> None:
        """Adds new tokens of a generation. `cached` is the total, the same for each of them."""
        if (request := self._requests.get(request_id or "")) is not None:
            request.usage.completion_tokens += completion
            request.usage.cached_tokens = cached

    def usage(self, request_id: str) -> Usage | None:
        """The usage so far of a request in progress, once its prompt has been counted."""
        request = self._requests.get(request_id)
        return request.usage if request is not None and request.usage.prompt_tokens else None

    def end_generation(self, request_id: str | None) -> None:
        with self._lock:
            self.generating -= 1
        self.release(request_id)

    async def wait_ended(self, request_id: str) -> Usage | None:
        """Waits until a request has ended, and returns its usage if it generated. Returns
        immediately for an unknown request."""
        waiter: Future[None] = Future()
        with self._lock:
            request = self._requests.get(request_id)
            if request is not None:
                request.waiters.append(waiter)
        if request is not None:
            await asyncio.wrap_future(waiter)
        return self._usages.get(request_id)


class RequestPool(ThreadPoolExecutor):
    """The event loop's thread pool. Keeps a request open while a thread works on it."""

    def __init__(self, requests: RequestsInFlight) -> None:
        super().__init__(max_workers=POOL_THREADS, thread_name_prefix="request")
        self._in_flight = requests

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future:
        request_id = current_request_id()
        self._in_flight.hold(request_id)
        try:
            future = super().submit(fn, *args, **kwargs)
        except BaseException:
            self._in_flight.release(request_id)
            raise
        future.add_done_callback(lambda _: self._in_flight.release(request_id))
        return future

"""Tells the supervisor what memory is in use, whenever requests have changed it."""

import threading
from collections.abc import Callable

import mlx.core as mx

WORTH_TELLING = 0.02
"""The share by which it must have changed since it was last told."""


def memory_bytes() -> int:
    """What MLX holds: arrays in use and buffers it keeps for the next ones."""
    return mx.get_active_memory() + mx.get_cache_memory()


class MemoryTeller:
    """Its methods may be called from any thread."""

    def __init__(self, told: int, say: Callable[[int], None]) -> None:
        self._told = told
        self._say = say
        self._lock = threading.Lock()

    def consider(self) -> None:
        with self._lock:
            now = memory_bytes()
            if abs(now - self._told) > self._told * WORTH_TELLING:
                self._told = now
                self._say(now)

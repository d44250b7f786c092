"""How far a download is, told at most four times a second."""

import threading
import time

from shared.lines import LifeLines

TELL_EVERY_SECONDS = 0.25


class Stopped(Exception):  # noqa: N818
    """Thrown into the work of other threads when one has failed."""


class Progress:
    """Counts the bytes of all files; safe to use from every thread."""

    def __init__(self, lines: LifeLines, done: int, total: int) -> None:
        self._lines = lines
        self._done = done
        self._total = total
        self._told_at = 0.0
        self._later: threading.Timer | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    def arrived(self, count: int) -> None:
        """Raises Stopped after stop()."""
        if self._stopped.is_set():
            raise Stopped
        with self._lock:
            self._done += count
            wait = self._told_at + TELL_EVERY_SECONDS - time.monotonic()
            if wait <= 0:
                self._tell()
            elif self._later is None:
                self._later = threading.Timer(wait, self._tell_later)
                self._later.daemon = True
                self._later.start()

    def waits(self, seconds: float, is_rate_limited: bool = False) -> None:
        """Says so and why, and waits. Raises Stopped after stop()."""
        with self._lock:
            self._tell()
            reason = "rate_limited" if is_rate_limited else "network"
            self._lines.say("waiting", seconds=seconds, reason=reason)
        if self._stopped.wait(seconds):
            raise Stopped

    def verifies(self, path: str) -> None:
        with self._lock:
            self._tell()
            self._lines.say("verifying", file=path)

    def stop(self) -> None:
        """Nothing is told any more."""
        with self._lock:
            self._stopped.set()
            self._forget_later()

    def _tell_later(self) -> None:
        """What came last is told too when nothing comes after it."""
        with self._lock:
            if self._later is threading.current_thread():
                self._tell()

    def _forget_later(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def _tell(self) -> None:
        self._forget_later()
        self._told_at = time.monotonic()
        done = max(0, min(self._done, self._total))
        self._lines.say("progress", done_bytes=done, total_bytes=self._total)

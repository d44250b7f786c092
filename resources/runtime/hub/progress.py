"""Reports the progress of a download, at most four times a second."""

import threading
import time

from shared.lines import EventWriter

INTERVAL_SECONDS = 0.25


class Stopped(Exception):  # noqa: N818
    """Raised in the other threads of a download after one has failed."""


class Progress:
    """Adds up the bytes of all files. Its methods may be called from any thread."""

    def __init__(self, events: EventWriter, done: int, total: int) -> None:
        self._events = events
        self._done = done
        self._total = total
        self._reported_at = 0.0
        self._timer: threading.Timer | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Adds received bytes; a negative number if they must be downloaded again. Raises Stopped
        after stop()."""
        if self._stopped.is_set():
            raise Stopped
        with self._lock:
            self._done += count
            delay = self._reported_at + INTERVAL_SECONDS - time.monotonic()
            if delay <= 0:
                self._report()
            elif self._timer is None:
                self._timer = threading.Timer(delay, self._report_delayed)
                self._timer.daemon = True
                self._timer.start()

    def wait(self, seconds: float, *, is_rate_limited: bool = False) -> None:
        """Reports why the download is waiting, and waits. Raises Stopped after stop()."""
        with self._lock:
            self._report()
            reason = "rate_limited" if is_rate_limited else "network"
            self._events.write("waiting", seconds=seconds, reason=reason)
        if self._stopped.wait(seconds):
            raise Stopped

    def report_verifying(self, path: str) -> None:
        with self._lock:
            self._report()
            self._events.write("verifying", file=path)

    def stop(self) -> None:
        """Nothing is reported after this."""
        with self._lock:
            self._stopped.set()
            self._cancel_timer()

    def _report_delayed(self) -> None:
        """Reports the last bytes, in case none follow for a while."""
        with self._lock:
            if self._timer is threading.current_thread():
                self._report()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _report(self) -> None:
        self._cancel_timer()
        self._reported_at = time.monotonic()
        done = max(0, min(self._done, self._total))
        self._events.write("progress", done_bytes=done, total_bytes=self._total)

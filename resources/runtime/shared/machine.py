"""Whether this Python and this folder will do, judged before anything heavy is imported."""

import os
import platform
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from shared.lines import FatalError

MAX_SOCKET_PATH_BYTES = 103
"""macOS's limit (`sun_path` is 104 bytes with its zero); Linux allows 107."""

TOUCH_EVERY_SECONDS = 6 * 3600
"""Well below the three days after which macOS removes untouched files from a temporary folder."""


def check_python() -> None:
    """Refuses an interpreter that MLX has no build for."""
    problem = python_problem(
        system=platform.system(),
        machine=platform.machine(),
        apple_silicon=has_apple_silicon(),
        version=sys.version_info[:2],
    )
    if problem is not None:
        raise problem


def python_problem(
    *, system: str, machine: str, apple_silicon: bool, version: tuple[int, int]
) -> FatalError | None:
    """What is wrong with such an interpreter, with the fix of the README's Troubleshooting."""
    if system == "Darwin" and apple_silicon and machine != "arm64":
        return FatalError(
            "wrong_python",
            f"This Python is built for {machine}, and this Mac has an M-series chip.",
            "You are using a non-native Python version. Switch to a native Python version: "
            "`brew install python@3.11`, the installer of python.org, or an arm64 Conda "
            "environment. `python -c 'import platform; print(platform.processor())'` prints "
            "`arm` for a native one. Then remove resources/runtime/.venv and run `npm start`.",
        )
    if system == "Darwin" and not apple_silicon:
        return FatalError(
            "wrong_python",
            "This Mac has an Intel processor.",
            "Sightglass needs a Mac with an M-series chip: MLX runs on no other.",
        )
    if version < (3, 11):
        found = ".".join(map(str, version))
        return FatalError(
            "wrong_python",
            f"This is Python {found}; the runtime needs Python 3.11 or later.",
            "Install Python 3.11 (`brew install python@3.11`), remove resources/runtime/.venv "
            "and run `npm start`.",
        )
    return None


def has_apple_silicon() -> bool:
    """Asks the kernel: under Rosetta, Python itself believes to be on an Intel processor."""
    if platform.system() != "Darwin":
        return False
    if platform.machine() == "arm64":
        return True
    ask = ["/usr/sbin/sysctl", "-n", "hw.optional.arm64"]
    return subprocess.run(ask, capture_output=True, text=True).stdout.strip() == "1"


def bind(path: Path) -> socket.socket:
    """A socket that does not listen yet, in a folder that only this user can enter."""
    length = len(os.fsencode(path))
    if length > MAX_SOCKET_PATH_BYTES:
        raise FatalError(
            "socket",
            f"The socket path is {length} bytes long, at most {MAX_SOCKET_PATH_BYTES} are "
            f"allowed: {path}",
            "Choose a shorter folder for the socket.",
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(path.parent)
        if path.is_socket():
            _check_stale(path)
            path.unlink()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.fspath(path))
        path.chmod(0o600)
    except OSError as error:
        raise FatalError(
            "socket",
            f"Cannot make the socket {path}: {error.strerror}.",
            "Check that the folder of the socket exists, is yours and can be written to.",
        ) from error
    return listener


def keep_socket(path: Path, wait: Callable[[float], None] = time.sleep) -> None:
    """Touches the socket and its folder while the process runs.

    macOS's dirhelper removes files from `$TMPDIR` that were not touched for three days, including
    the sockets of running processes (onevcat/Prowl#239).
    """

    def touch() -> None:
        while True:
            wait(TOUCH_EVERY_SECONDS)
            for each in (path, path.parent):
                with suppress(OSError):
                    os.utime(each)

    threading.Thread(target=touch, name="keep-socket", daemon=True).start()


def remove_socket(path: Path, *, bound: bool) -> None:
    """With its folder, if there is nothing else in it: a parent that was killed removes neither."""
    with suppress(OSError):
        if bound:
            path.unlink(missing_ok=True)
        path.parent.rmdir()


def _check_private(folder: Path) -> None:
    status = folder.stat()
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.getuid() or mode & 0o077:
        raise FatalError(
            "socket",
            f"Others can reach the folder of the socket: {folder} has mode {mode:04o} and "
            f"belongs to user {status.st_uid}.",
            f"Give the socket a folder of its own, or run `chmod 700 {folder}`.",
        )


def _check_stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return
    raise FatalError(
        "socket",
        f"Another runtime is serving on {path}.",
        "Stop it first, or choose another socket.",
    )


def exit_with_parent(last_deed: Callable[[], object] = lambda: None) -> None:
    """Ends the process when stdin does, even in the middle of a load or a generation."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        try:
            last_deed()
        finally:
            os._exit(0)

    threading.Thread(target=wait, name="exit-with-parent", daemon=True).start()


def leave_interrupts_to_parent() -> None:
    """A terminal sends Ctrl-C to the whole process group; the parent decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

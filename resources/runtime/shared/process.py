"""Sets up the process before anything heavy is imported: checks the interpreter, configures mlx_vlm
through the environment, creates the private socket, and exits with the parent."""

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
"""Well below the three days after which macOS removes unused files from a temporary folder."""

ENVIRONMENT = {
    # The prefix cache is in memory only: prompts and images are not written to disk. SHA-256 makes
    # sure that a hash collision never answers from another prompt.
    "APC_ENABLED": "1",
    "APC_DISK_ENABLED": "0",
    "APC_HASH": "sha256",
    # Maximum number of cached conversations. mlx_vlm also limits their size, to a tenth of the
    # working set.
    "APC_CHECKPOINT_ENTRIES": "8",
    "MLX_VLM_VISION_CACHE_SIZE": "20",
    "TOP_LOGPROBS_K": "20",
    "MLX_VLM_LOG_PROGRESS_INTERVAL": "0",
    # Deadlines are the gateway's, and the supervisor distinguishes a long prefill from a hang.
    "MLX_VLM_TOKEN_QUEUE_TIMEOUT": "0",
    # Models are downloaded before they are served, so serving needs no network.
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "DO_NOT_TRACK": "1",
    "OTEL_SDK_DISABLED": "true",
    "TOKENIZERS_PARALLELISM": "false",
}

REMOVED = ("MLX_VLM_PRELOAD_", "MLX_VLM_DRAFT_", "MLX_VLM_SERVER_API_KEY")
"""Variables that would load a second model, bypass our sampling, or lock out the gateway."""


def set_environment() -> None:
    """Configures mlx_vlm's server, which reads the environment on import. Call it before mlx_vlm or
    huggingface_hub is imported."""
    for name in list(os.environ):
        # The user may have set these for their own mlx_vlm server.
        if name.startswith(REMOVED):
            del os.environ[name]
    os.environ.update(ENVIRONMENT)


def check_python() -> None:
    """Raises FatalError for an interpreter that MLX does not support."""
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
    """Why such an interpreter is not supported, with the remedy that MLX documents."""
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
            "Sightglass needs a Mac with an M-series chip, because MLX supports no other.",
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
    """Asks the kernel, because Python under Rosetta reports an Intel processor."""
    if platform.system() != "Darwin":
        return False
    if platform.machine() == "arm64":
        return True
    command = ["/usr/sbin/sysctl", "-n", "hw.optional.arm64"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() == "1"


def bind(path: Path) -> socket.socket:
    """Creates a socket that does not listen yet, in a folder that only this user can access."""
    length = len(os.fsencode(path))
    if length > MAX_SOCKET_PATH_BYTES:
        raise FatalError(
            "socket",
            f"The socket path is {length} bytes long (at most {MAX_SOCKET_PATH_BYTES} are "
            f"allowed): {path}",
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
            f"Cannot create the socket {path}: {error.strerror}.",
            "Check that its folder exists, belongs to you and is writable.",
        ) from error
    return listener


def keep_socket(path: Path, wait: Callable[[float], None] = time.sleep) -> None:
    """Touches the socket and its folder regularly, in a background thread.

    macOS's dirhelper removes files from `$TMPDIR` that have not been touched for three days, even
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
    """Removes the socket and its folder, if empty: a parent that was killed can remove neither."""
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
            f"Other users can access the folder of the socket: {folder} has mode {mode:04o} "
            f"and belongs to user {status.st_uid}.",
            f"Choose a separate folder for the socket, or run `chmod 700 {folder}`.",
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


def exit_with_parent(cleanup: Callable[[], object] = lambda: None) -> None:
    """Exits when stdin is closed, even while a model is loading or a generation is running."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        try:
            cleanup()
        finally:
            os._exit(0)

    threading.Thread(target=wait, name="exit-with-parent", daemon=True).start()


def ignore_interrupts() -> None:
    """A terminal sends Ctrl-C to the whole process group. The parent handles it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

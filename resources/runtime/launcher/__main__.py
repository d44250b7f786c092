"""Serves a vision model with mlx_vlm's own server on a private Unix socket.

Started by Sightglass's supervisor as `python -I launcher --socket PATH --model FOLDER_OR_NAME`,
with stdin as its lifeline: when that closes, the process ends. Tells its life in JSON lines on
stdout (loading, description, weights, ready, memory, fatal), logs on stderr. SIGTERM ends it: at
once while it loads, cleanly while it serves. It does no inference, queueing or checking of
requests: those are mlx_vlm's and the gateway's.
"""

import argparse
import logging
import os
import socket
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

# `python -I` ignores the variable itself, and a signed app bundle must not be written to.
sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
# The programs are packages beside `shared`, which they have in common.
sys.path[0] = str(Path(__file__).parents[1])

from shared.description import Description, describe  # noqa: E402
from shared.lines import FatalError, LifeLines, log_to_stderr  # noqa: E402
from shared.machine import (  # noqa: E402
    bind,
    check_python,
    exit_with_parent,
    keep_socket,
    leave_interrupts_to_parent,
    remove_socket,
)
from shared.model_folder import (  # noqa: E402
    check_memory,
    check_model_folder,
    is_hub_name,
    weights_bytes,
)
from shared.settings import set_environment  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(prog="launcher", description=__doc__)
    parser.add_argument("--socket", required=True, type=Path, help="where to serve")
    parser.add_argument("--model", required=True, help="a folder, or the id of a downloaded model")
    args = parser.parse_args()
    lines = LifeLines()
    bound = threading.Event()
    binding = threading.Lock()

    def remove_own_socket() -> None:
        # Never released: a socket that was created after this would stay behind.
        binding.acquire()
        remove_socket(args.socket, bound=bound.is_set())

    exit_with_parent(remove_own_socket)
    leave_interrupts_to_parent()
    log_to_stderr()
    try:
        check_python()
        lines.say("loading", model=args.model, pid=os.getpid())
        set_environment()
        folder = find_folder(args.model)
        check_model_folder(folder)
        description = describe(folder)
        lines.say("description", **asdict(description))
        lines.say("weights", weights_bytes=weights_bytes(folder))
        check_memory(folder)
        with binding:
            listener = bind(args.socket)
            bound.set()
        keep_socket(args.socket)
        try:
            run(listener, folder, args.model, description, lines)
        finally:
            args.socket.unlink(missing_ok=True)
    except FatalError as fatal:
        lines.fatal(fatal)
        os._exit(1)
    except Exception as error:
        logging.getLogger("launcher").exception("unexpected error")
        remedy = "Read the log. Removing resources/runtime/.venv and `npm start` may help."
        lines.fatal(FatalError("load_failed", f"{type(error).__name__}: {error}", remedy))
        os._exit(1)
    os._exit(0)


def find_folder(model: str) -> Path:
    if not is_hub_name(model):
        return Path(model).expanduser()
    from shared.hub_cache import cached_folder

    return cached_folder(model)


def run(
    listener: socket.socket, folder: Path, name: str, description: Description, lines: LifeLines
) -> None:
    """Loads and serves; returns after SIGTERM."""
    started = time.monotonic()
    # These import mlx_vlm, which reads its settings from the environment and takes seconds.
    from launcher import (
        answer_reader,
        chat_template,
        closed_streams,
        deepstack,
        image_errors,
        prefill_padding,
        prefix_cache,
        structured_output,
        template_kwargs,
        token_bytes,
        token_count,
        upstream,
    )
    from launcher.memory import MemoryTeller
    from launcher.model import load_model
    from launcher.service import serve

    structured_output.patch()
    upstream.patch()
    deepstack.patch()
    prefill_padding.patch()
    prefix_cache.patch()
    image_errors.patch()
    token_bytes.patch()
    token_count.patch()
    closed_streams.patch()
    template_kwargs.patch()
    chat_template.patch()
    answer_reader.patch()
    loaded = load_model(str(folder), name, description)
    teller = MemoryTeller(
        loaded.memory_bytes, lambda memory: lines.say("memory", memory_bytes=memory)
    )
    upstream.requests.on_end = teller.consider
    seconds = round(time.monotonic() - started, 3)
    serve(
        listener,
        on_ready=lambda: lines.say(
            "ready", model=str(folder), load_seconds=seconds, **vars(loaded)
        ),
    )


main()

"""Serves a vision model with mlx_vlm's server on a private Unix socket.

Sightglass's supervisor starts it as `python -I launcher --socket PATH --model FOLDER_OR_NAME`, and
it exits when its stdin is closed. It reports its state as JSON lines on stdout (loading,
description, weights, ready, memory, fatal) and logs to stderr. On SIGTERM it exits immediately
while loading, and gracefully while serving. Inference is left to mlx_vlm; queueing and validating
requests to the gateway.
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

# `python -I` ignores the variable, and a signed app bundle must not be modified.
sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
# Makes `shared` importable, and this folder as the package `launcher`.
sys.path[0] = str(Path(__file__).parents[1])

from shared.description import Description, describe  # noqa: E402
from shared.lines import EventWriter, FatalError, log_to_stderr  # noqa: E402
from shared.model_folder import (  # noqa: E402
    check_memory,
    check_model_folder,
    is_hub_name,
    weights_bytes,
)
from shared.process import (  # noqa: E402
    bind,
    check_python,
    exit_with_parent,
    ignore_interrupts,
    keep_socket,
    remove_socket,
    set_environment,
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="launcher", description=__doc__)
    parser.add_argument("--socket", required=True, type=Path, help="path of the socket")
    parser.add_argument("--model", required=True, help="a folder, or the id of a downloaded model")
    args = parser.parse_args()
    events = EventWriter()
    bound = threading.Event()
    binding = threading.Lock()

    def remove_own_socket() -> None:
        # Never released, so that no socket is created after this.
        binding.acquire()
        remove_socket(args.socket, bound=bound.is_set())

    exit_with_parent(remove_own_socket)
    ignore_interrupts()
    log_to_stderr()
    try:
        check_python()
        events.write("loading", model=args.model, pid=os.getpid())
        set_environment()
        folder = find_folder(args.model)
        check_model_folder(folder)
        description = describe(folder)
        events.write("description", **asdict(description))
        events.write("weights", weights_bytes=weights_bytes(folder))
        check_memory(folder)
        with binding:
            listener = bind(args.socket)
            bound.set()
        keep_socket(args.socket)
        try:
            run(listener, folder, args.model, description, events)
        finally:
            args.socket.unlink(missing_ok=True)
    except FatalError as fatal:
        events.fatal(fatal)
        os._exit(1)
    except Exception as error:
        logging.getLogger("launcher").exception("unexpected error")
        remedy = "Read the log. Removing resources/runtime/.venv and `npm start` may help."
        events.fatal(FatalError("load_failed", f"{type(error).__name__}: {error}", remedy))
        os._exit(1)
    os._exit(0)


def find_folder(model: str) -> Path:
    if not is_hub_name(model):
        return Path(model).expanduser()
    from shared.hub_cache import cached_folder

    return cached_folder(model)


def run(
    listener: socket.socket, folder: Path, name: str, description: Description, events: EventWriter
) -> None:
    """Loads the model and serves it. Returns after SIGTERM."""
    started = time.monotonic()
    # These import mlx_vlm, which reads the environment on import and takes seconds to load.
    from launcher import (
        chat_endpoint,
        chat_template,
        generation_thread,
        prefill,
        sampling,
        structured_output,
        template_kwargs,
        token_count,
    )
    from launcher.model import load_model
    from launcher.service import MemoryReporter, serve

    structured_output.patch()
    generation_thread.patch()
    sampling.patch()
    prefill.patch()
    token_count.patch()
    template_kwargs.patch()
    chat_template.patch()
    chat_endpoint.patch()
    loaded = load_model(str(folder), name, description)
    reporter = MemoryReporter(
        loaded.memory_bytes, lambda memory: events.write("memory", memory_bytes=memory)
    )
    generation_thread.requests.on_end = reporter.report_if_changed
    seconds = round(time.monotonic() - started, 3)
    serve(
        listener,
        on_ready=lambda: events.write(
            "ready", model=str(folder), load_seconds=seconds, **vars(loaded)
        ),
    )


main()

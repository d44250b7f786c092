"""Inspects models on this machine, and downloads models from the Hugging Face Hub.

Sightglass starts it as `python -I hub inspect|fetch|discard`, with the request as one line of JSON
on stdin. It exits when stdin is closed. Like the launcher it writes JSON lines to stdout and logs
to stderr. It does not load or serve models.
"""

import argparse
import json
import logging
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
# Makes `shared` importable, and this folder as the package `hub`.
sys.path[0] = str(Path(__file__).parents[1])

from shared.lines import EventWriter, FatalError, log_to_stderr  # noqa: E402
from shared.process import ENVIRONMENT, exit_with_parent, ignore_interrupts  # noqa: E402

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def main() -> None:
    parser = argparse.ArgumentParser(prog="hub", description=__doc__)
    parser.add_argument("task", choices=["inspect", "fetch", "discard"])
    task = parser.parse_args().task
    events = EventWriter()
    log_to_stderr()
    # mlx_vlm logs unsupported model types, which are reported as the problem of their model.
    logging.getLogger().setLevel(logging.CRITICAL)
    logging.getLogger("hub").setLevel(logging.INFO)
    request = json.loads(read_line())
    exit_with_parent()
    ignore_interrupts()
    offline = {name: os.environ.get(name) for name in OFFLINE}
    os.environ.update(ENVIRONMENT)
    try:
        run(task, request, events, offline)
    except FatalError as fatal:
        events.fatal(fatal)
        os._exit(1)
    except Exception as error:
        logging.getLogger("hub").exception("unexpected error")
        events.fatal(FatalError("failed", f"{type(error).__name__}: {error}", "Read the log."))
        os._exit(1)
    os._exit(0)


def read_line() -> bytes:
    """Reads unbuffered: the rest of stdin is read by `exit_with_parent`."""
    line = b""
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        line += byte
    return line


def run(task: str, request: dict, events: EventWriter, offline: dict[str, str | None]) -> None:
    if task == "inspect":
        from hub.inspection import inspect_all

        inspect_all(request["models"], events)
        return
    # Unlike serving, a download is offline only if the user's environment says so.
    for name, value in offline.items():
        del os.environ[name]
        if value is not None:
            os.environ[name] = value
    # The Xet client cannot resume a partial file. HTTP can, and mirrors support nothing else.
    os.environ["HF_HUB_DISABLE_XET"] = "1"
    from hub.download import discard, fetch

    if task == "fetch":
        fetch(request["id"], request.get("token"), events)
    else:
        discard(request["id"], events)


main()

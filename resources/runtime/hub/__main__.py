"""Judges the models on this machine, and downloads others from the Hugging Face Hub.

Started by Sightglass as `python -I hub inspect|fetch|discard`. One line of JSON on stdin is the
request, and stdin is the lifeline: when it closes, the process ends. Answers in JSON lines on
stdout, logs on stderr, as the launcher does. Loads no model, and serves nothing.
"""

import argparse
import json
import logging
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
# The programs are packages beside `shared`, which they have in common.
sys.path[0] = str(Path(__file__).parents[1])

from shared.lines import FatalError, LifeLines, log_to_stderr  # noqa: E402
from shared.machine import exit_with_parent, leave_interrupts_to_parent  # noqa: E402
from shared.settings import ENVIRONMENT  # noqa: E402

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def main() -> None:
    parser = argparse.ArgumentParser(prog="hub", description=__doc__)
    parser.add_argument("task", choices=["inspect", "fetch", "discard"])
    task = parser.parse_args().task
    lines = LifeLines()
    log_to_stderr()
    # What mlx_vlm logs of a type it does not know is told as the problem of the model.
    logging.getLogger().setLevel(logging.CRITICAL)
    logging.getLogger("hub").setLevel(logging.INFO)
    request = json.loads(read_line())
    exit_with_parent()
    leave_interrupts_to_parent()
    own = {name: os.environ.get(name) for name in OFFLINE}
    os.environ.update(ENVIRONMENT)
    try:
        do(task, request, lines, own)
    except FatalError as fatal:
        lines.fatal(fatal)
        os._exit(1)
    except Exception as error:
        logging.getLogger("hub").exception("unexpected error")
        lines.fatal(FatalError("failed", f"{type(error).__name__}: {error}", "Read the log."))
        os._exit(1)
    os._exit(0)


def read_line() -> bytes:
    """From the file descriptor itself, so that nothing is left in a buffer."""
    line = b""
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        line += byte
    return line


def do(task: str, request: dict, lines: LifeLines, own: dict[str, str | None]) -> None:
    if task == "inspect":
        from hub.inspection import inspect_all

        inspect_all(request["models"], lines)
        return
    # Serving is always offline; a download is only if the user's own environment says so.
    for name, value in own.items():
        del os.environ[name]
        if value is not None:
            os.environ[name] = value
    # Xet's client cannot go on with half a file; plain HTTP can, and mirrors speak nothing else.
    os.environ["HF_HUB_DISABLE_XET"] = "1"
    from hub.download import discard, fetch

    if task == "fetch":
        fetch(request["id"], request.get("token"), lines)
    else:
        discard(request["id"], lines)


main()

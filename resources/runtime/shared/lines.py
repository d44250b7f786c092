"""What the launcher says: JSON lines on stdout for the supervisor, log lines on stderr for people.

Nothing else may reach stdout. Log lines never hold the payload of a data URL (mlx_vlm repeats whole
pictures in its error texts), a Hugging Face token, nor the password of a URL.
"""

import json
import logging
import os
import re
import sys
from dataclasses import asdict, dataclass

from shared.request_mistakes import demote

DATA_URL = re.compile(r"(data:[^;,\s\"']{0,100};base64,)[A-Za-z0-9+/=_%-]+")

TOKEN = re.compile(r"\b(hf_|api_org_)\w{8,}")

CREDENTIALS = re.compile(r"(\w://)[^/@\s]+@")


@dataclass
class FatalError(Exception):
    """Why the runtime cannot start: a reason for programs, a message and a remedy for people."""

    reason: str
    message: str
    remedy: str


class LifeLines:
    """Takes file descriptor 1 for itself; whatever else is written to stdout goes to stderr."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)
        sys.stdout = sys.stderr

    def say(self, event: str, **fields: object) -> None:
        self._out.write(json.dumps({"event": event, **fields}) + "\n")
        self._out.flush()

    def fatal(self, fatal: FatalError) -> None:
        fields = asdict(fatal)
        fields["message"] = redact(fatal.message)
        fields["remedy"] = redact(fatal.remedy)
        self.say("fatal", **fields)


def redact(text: str) -> str:
    """The text without the payloads of data URLs, and without tokens and passwords."""
    for secret in (DATA_URL, TOKEN):
        text = secret.sub(r"\1[...]", text)
    return CREDENTIALS.sub(r"\1", text)


class OneLine(logging.Formatter):
    """`LEVEL logger message`, a traceback folded into the same line."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return " | ".join(redact(super().format(record)).splitlines())


def log_to_stderr() -> None:
    """Sends all logs to stderr. Never below INFO: at DEBUG mlx_vlm logs the generated text."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    handler.addFilter(demote)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("mlx_vlm", "launcher"):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.captureWarnings(True)

"""What the programs write: JSON lines on stdout for Sightglass, log lines on stderr for people.

Nothing else may be written to stdout. Log lines never contain the payload of a data URL (mlx_vlm
quotes whole images in its error messages), a Hugging Face token, or the password of a URL.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass

DATA_URL = re.compile(r"(data:[^;,\s\"']{0,100};base64,)[A-Za-z0-9+/=_%-]+")
TOKEN = re.compile(r"\b(hf_|api_org_)\w{8,}")
CREDENTIALS = re.compile(r"(\w://)[^/@\s]+@")

MLX_VLM_REFUSAL = re.compile(r"LLGuidance matcher error|Failed to process inputs|penalty must be")
"""Messages with which mlx_vlm rejects a request."""


@dataclass
class FatalError(Exception):
    """Ends the program. `reason` is for programs, `message` and `remedy` are for people."""

    reason: str
    message: str
    remedy: str


class RefusedError(ValueError):
    """The request is invalid; the client gets the message."""


class EventWriter:
    """Writes events to the original stdout. Everything else written to stdout goes to stderr."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)
        sys.stdout = sys.stderr

    def write(self, event: str, **fields: object) -> None:
        self._out.write(json.dumps({"event": event, **fields}) + "\n")
        self._out.flush()

    def fatal(self, fatal: FatalError) -> None:
        fields = asdict(fatal)
        fields["message"] = redact(fatal.message)
        fields["remedy"] = redact(fatal.remedy)
        self.write("fatal", **fields)


def redact(text: str) -> str:
    """The text without the payloads of data URLs, and without tokens and passwords."""
    for secret in (DATA_URL, TOKEN):
        text = secret.sub(r"\1[...]", text)
    return CREDENTIALS.sub(r"\1", text)


class OneLineFormatter(logging.Formatter):
    """`LEVEL logger message`, with a traceback joined into the same line."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return " | ".join(redact(super().format(record)).splitlines())


def log_to_stderr() -> None:
    """Sends all logs to stderr. Never below INFO: at DEBUG mlx_vlm logs the generated text."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLineFormatter())
    handler.addFilter(demote_refusal)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("mlx_vlm", "launcher"):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.captureWarnings(True)


def demote_refusal(record: logging.LogRecord) -> bool:
    """A log filter that turns a refused request into one line at INFO, without a traceback.

    mlx_vlm logs every failed generation as an error. A refusal is not: the gateway has reported it
    to the client.
    """
    if record.exc_info and is_refusal(record.exc_info[1]):
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.exc_info = record.exc_text = None
    return True


def is_refusal(error: BaseException | None) -> bool:
    """Whether the error, or its cause, is that the request is invalid."""
    return any(
        isinstance(each, RefusedError) or MLX_VLM_REFUSAL.search(str(each))
        for each in _with_causes(error)
    )


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

"""Refused requests are reported to the client, and not logged as errors."""

import logging
import sys

import pytest

from runtime_process import question
from shared.lines import RefusedError, demote_refusal

UNREADABLE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB"


def test_a_refused_request_is_not_logged_as_an_error(start):
    runtime = start()
    runtime.wait_ready()
    mistakes = {
        "maximum context length": {"messages": question("word " * 5000)},
        "and the messages": {"messages": question("x y " * 30_000)},
        "Failed to load image": {"messages": question(url=UNREADABLE)},
        "logit_bias": {"logit_bias": {"5000": 1}},
    }
    for words, parameters in mistakes.items():
        assert words in runtime.chat(**parameters).error
    assert runtime.chat(max_tokens=2).finish_reason == "length"
    runtime.process.terminate()
    runtime.wait_end()
    assert [line for line in runtime.log if "ERROR" in line or "Traceback" in line] == []
    assert any("INFO mlx_vlm" in line and "maximum context length" in line for line in runtime.log)


def raised(error: Exception, cause: Exception | None = None) -> logging.LogRecord:
    try:
        raise error from cause
    except Exception:
        exc_info = sys.exc_info()
    return logging.LogRecord("mlx_vlm", logging.ERROR, "", 0, "failed", (), exc_info)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (RefusedError("too long"), None),
        (RuntimeError("batch"), RefusedError("too long")),
        (ValueError("LLGuidance matcher error: too many states"), None),
        (ValueError("penalty must be a non-negative float, got -3"), None),
    ],
)
def test_a_refusal_has_no_traceback(error, cause):
    record = raised(error, cause)
    assert demote_refusal(record)
    assert (record.levelname, record.exc_info) == ("INFO", None)


@pytest.mark.parametrize("error", [RuntimeError("[METAL] lost"), ValueError("shapes differ")])
def test_any_other_error_keeps_its_level_and_traceback(error):
    record = raised(error)
    assert demote_refusal(record)
    assert record.levelname == "ERROR"
    assert record.exc_info[1] is error

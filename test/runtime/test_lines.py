import logging
import sys

from shared.lines import OneLineFormatter, redact


def record(message: str, *args: object, exc_info=None) -> logging.LogRecord:
    return logging.LogRecord("mlx_vlm.server", logging.ERROR, "", 0, message, args, exc_info)


def test_the_payload_of_a_data_url_is_redacted():
    text = "Failed to load image from data:image/png;base64,aGVsbG8+/w==: cannot identify"
    assert redact(text) == (
        "Failed to load image from data:image/png;base64,[...]: cannot identify"
    )


def test_every_payload_of_a_megabyte_is_redacted():
    url = "data:image/jpeg;base64," + "QUJD" * 250_000
    assert redact(f"['{url}', '{url}']") == (
        "['data:image/jpeg;base64,[...]', 'data:image/jpeg;base64,[...]']"
    )


def test_a_log_line_has_level_logger_and_message():
    line = OneLineFormatter().format(record("loaded %s", "demo"))
    assert line == "ERROR mlx_vlm.server loaded demo"


def test_a_traceback_is_one_line_without_payload():
    try:
        raise ValueError("bad data:image/png;base64,AAAA")
    except ValueError:
        line = OneLineFormatter().format(record("failed", exc_info=sys.exc_info()))
    assert "\n" not in line
    assert line.startswith("ERROR mlx_vlm.server failed | Traceback")
    assert line.endswith("ValueError: bad data:image/png;base64,[...]")

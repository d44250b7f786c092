"""Keeps a client's mistake from looking like a fault of ours in the log.

mlx_vlm logs whatever ends a generation as an error with its traceback. The gateway answers the
client with what was wrong (`generation-error.ts`), and that is all there is to know.
"""

import logging
import re
from collections.abc import Iterator

OF_MLX_VLM = re.compile(r"LLGuidance matcher error|Failed to process inputs|penalty must be")
"""What mlx_vlm says of a request that it cannot do."""


class RefusedError(ValueError):
    """The request itself is to blame."""


def is_mistake(error: BaseException | None) -> bool:
    return any(
        isinstance(each, RefusedError) or OF_MLX_VLM.search(str(each)) for each in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def demote(record: logging.LogRecord) -> bool:
    """A filter of a log handler: a mistake is a line at INFO, without a traceback."""
    if record.exc_info and is_mistake(record.exc_info[1]):
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.exc_info = record.exc_text = None
    return True

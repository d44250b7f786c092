"""Ends the process when the GPU has failed, because nothing computed after that can be trusted.

Since ml-explore/mlx#3523 a failed Metal command buffer (out of memory, or stopped because it kept
the display waiting) no longer aborts the process: MLX raises its error at a later evaluation, or
the arrays hold zeros (ml-explore/mlx#3979, #4134). mlx_vlm would fail the batch and continue, with
a prefix cache that may hold checkpoints of that batch. The supervisor restarts the process and
retries its requests.
"""

import logging
import os

FAILED_COMMAND_BUFFER = "[METAL] Command buffer execution failed"
"""How the message of such an error starts (`mlx/backend/metal`)."""


def exit_if_gpu_failed(error: BaseException | None) -> None:
    """Ends the process with exit code 1 if `error`, or what caused it, is a failure of the GPU."""
    while error is not None:
        if FAILED_COMMAND_BUFFER in str(error):
            logging.getLogger("launcher").error("The GPU failed; the runtime restarts. %s", error)
            os._exit(1)
        error = error.__cause__ or error.__context__

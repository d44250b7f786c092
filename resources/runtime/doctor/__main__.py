"""Checks whether this Python, MLX and the GPU work, for `sightglass doctor`.

Started as `python -I doctor`. Writes a JSON line to stdout after each step: if a step crashes the
process, it is the first one without a line. Loads no model and uses no network.
"""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

sys.dont_write_bytecode = True
# Makes `shared` importable.
sys.path[0] = str(Path(__file__).parents[1])

from shared.lines import EventWriter, log_to_stderr  # noqa: E402
from shared.process import exit_with_parent, has_apple_silicon, set_environment  # noqa: E402

SIZE = 512
"""Rows and columns of the multiplied matrices."""


def main() -> None:
    events = EventWriter()
    exit_with_parent()
    log_to_stderr()
    set_environment()
    for step in (check_python, check_mlx, check_matmul, check_mlx_vlm):
        name = step.__name__.removeprefix("check_")
        try:
            events.write(name, **step())
        except Exception as error:
            events.write("failed", step=name, message=f"{type(error).__name__}: {error}"[:500])
            break
    os._exit(0)


def check_python() -> dict:
    native = "arm64" if has_apple_silicon() else platform.machine()
    return {
        "version": platform.python_version(),
        "machine": platform.machine(),
        "native": platform.machine() == native,
        "executable": sys.executable,
    }


def check_mlx() -> dict:
    import mlx.core as mx

    device = mx.device_info()
    return {
        "version": version("mlx"),
        "metal": mx.metal.is_available(),
        "device": str(device.get("device_name", "unknown")),
        "architecture": str(device.get("architecture", "unknown")),
        "working_set_bytes": int(device.get("max_recommended_working_set_size", 0)),
    }


def check_matmul() -> dict:
    """Multiplies small integers, which float32 represents exactly, so the result must be exact."""
    import mlx.core as mx
    import numpy as np

    generator = np.random.default_rng(0)
    a, b = (generator.integers(0, 4, (SIZE, SIZE)) for _ in range(2))
    product = mx.array(a, dtype=mx.float32) @ mx.array(b, dtype=mx.float32)
    mx.eval(product)
    return {
        "device": str(mx.default_device()),
        "correct": bool(np.array_equal(np.array(product), (a @ b).astype(np.float32))),
    }


def check_mlx_vlm() -> dict:
    import mlx_vlm.server.app  # noqa: F401  everything that the launcher imports

    return {"version": version("mlx-vlm")}


main()

"""Checks that the patches fit the installed mlx_vlm. If not, the launcher refuses to start."""

import inspect
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from shared.lines import FatalError


def unsupported_version(problem: str) -> FatalError:
    """The error to raise for an mlx_vlm whose code differs from what a patch expects."""
    return FatalError(
        "load_failed",
        f"mlx_vlm {version('mlx-vlm')} is not the version this launcher was made for: {problem}.",
        "Remove resources/runtime/.venv and run `npm start`.",
    )


def require_names(required: Mapping[Any, Iterable[str]]) -> None:
    """Raises FatalError unless each object has the attributes listed for it."""
    for holder, names in required.items():
        for name in names:
            if not hasattr(holder, name):
                raise unsupported_version(f"{holder.__name__}.{name} is missing")


def require_parameters(holder: Any, name: str, parameters: tuple[str, ...]) -> None:
    """Raises FatalError unless `holder.name` is callable and its first parameters are these."""
    function = getattr(holder, name, None)
    found = tuple(inspect.signature(function).parameters) if function is not None else ()
    if found[: len(parameters)] != parameters:
        module = holder.__name__.rsplit(".", 1)[-1]
        raise unsupported_version(f"{module}.{name}({', '.join(parameters)}) is missing")

"""What every module that changes mlx_vlm says when it finds another one than it was made for."""

from importlib.metadata import version

from shared.lines import FatalError


def other_version(what: str) -> FatalError:
    """The error to raise; `what` is the part that is not as expected."""
    return FatalError(
        "load_failed",
        f"mlx_vlm {version('mlx-vlm')} is not the version this launcher was made for: {what}.",
        "Remove resources/runtime/.venv and run `npm start`.",
    )

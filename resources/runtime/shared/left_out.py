"""Packages that mlx_vlm depends on and Sightglass does not install.

`override-dependencies` in pyproject.toml keeps them out of the locks, because answering questions
about images never imports them. A few other models do; this module names the missing package.
"""

from shared.lines import FatalError

LEFT_OUT = {
    "cv2": "opencv-python",
    "datasets": "datasets",
    "hf_xet": "hf-xet",
    "miniaudio": "miniaudio",
    "scipy": "scipy",
    "sounddevice": "sounddevice",
    "typer": "typer",
}
"""The name to import, and the package that provides it."""


def missing_package(what: str, error: BaseException) -> FatalError | None:
    """Why `what` cannot be loaded, if `error` is the failed import of a package. None otherwise."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    module = error.name.split(".")[0]
    if module == "mlx_vlm":
        return None
    package = LEFT_OUT.get(module, module)
    return FatalError(
        "unsupported_model",
        f"{what} needs the Python package {package}, which Sightglass does not include.",
        "Choose another model. Running from a checkout, you can add the package: "
        f"`resources/runtime/.venv/bin/python -m pip install {package}`.",
    )

"""Has every failure to read an image say so, whatever way Pillow failed.

mlx_vlm wraps those of opening it (`load_image` of its `utils.py`), not those of its metadata; the
gateway tells an image that cannot be read (400) from a model that fails (500) by these words.
"""

from typing import Any

from mlx_vlm import utils

from launcher.other_version import other_version
from shared.request_mistakes import RefusedError


def patch() -> None:
    """Changes mlx_vlm in place. Raises FatalError for an unexpected version of mlx_vlm."""
    load_image = getattr(utils, "load_image", None)
    if load_image is None:
        raise other_version("utils.load_image is missing")

    def load_or_say(*args: Any, **options: Any) -> Any:
        try:
            return load_image(*args, **options)
        except Exception as error:
            raise RefusedError(f"Failed to load image: {error}") from error

    utils.load_image = load_or_say

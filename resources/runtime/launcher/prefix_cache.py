"""Has mlx_vlm's prefix cache serve conversations about pictures.

For a model with the plain KV cache (Qwen2-VL and most others) mlx_vlm 0.7.10 keeps prompts as
blocks, and gives none of them back when a picture is among them (`apc_lookup_plan`, `apc.py`):
every follow-up question would read the whole conversation anew. Its other way, a checkpoint of the
whole prompt under the hash of its pictures, is what other models have. Here all have it.

mlx_vlm gives pictures that it cannot hash the hash 0, such as several of different sizes, which
some processors (Pixtral's, Gemma 4's) leave in a list: such a prompt was answered about the
pictures of another one with the same words and sizes. Here each picture of a list is hashed, and
what cannot be hashed is like nothing else.
"""

import hashlib
import secrets
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_vlm import apc, apc_adapters

from launcher.other_version import other_version


def patch() -> None:
    """Changes mlx_vlm in place. Raises FatalError for an unexpected version of mlx_vlm."""
    plan = apc_adapters.PrefixCachePlan
    as_expected = isinstance(getattr(plan, "strategy", None), property)
    names = ("self_check_model_apc", "hash_image_payload", "_tensor_content_hash")
    if not as_expected or not all(hasattr(apc, name) for name in names):
        raise other_version("its prefix cache has changed")
    plan.strategy = property(lambda self: "checkpoint" if self.restorable else None)
    self_check = apc.self_check_model_apc

    def check_own_caches(model: Any, **options: Any) -> Any:
        """Not for the plain cache: the check calls it an error, though the cache serves it."""
        has_own = hasattr(getattr(model, "language_model", model), "make_cache")
        return self_check(model, **options) if has_own else None

    apc.self_check_model_apc = check_own_caches
    hash_payload = apc.hash_image_payload

    def hash_pictures(pixel_values: Any = None, image_ref: Any = None) -> int:
        if pixel_values is None:
            return hash_payload(image_ref=image_ref)
        return hash_pixels(pixel_values)

    apc.hash_image_payload = hash_pictures


def hash_pixels(pixels: Any) -> int:
    """A hash of all the pixels; a random number if they cannot be read."""
    if isinstance(pixels, (list, tuple)):
        digest = hashlib.sha256(repr([hash_pixels(each) for each in pixels]).encode()).digest()
        return int.from_bytes(digest[:8], "little", signed=True)
    if isinstance(pixels, (mx.array, np.ndarray)) and pixels.dtype != object:
        try:
            return apc._tensor_content_hash(pixels)
        except Exception:
            pass  # whatever the reason, a prompt that is computed anew is answered correctly
    return secrets.randbits(63)

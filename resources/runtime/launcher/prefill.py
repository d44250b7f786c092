"""Patches how mlx_vlm 0.7.10 prefills prompts, so that a prompt's answer does not depend on the
prefix cache, on other prompts in its batch, or on how it is split into chunks.

- Prefix cache: conversations with images are served from it, and different images never share a
  cache entry.
- Padding: it is never treated as part of a prompt.
- DeepStack: each image token keeps its own features of the vision model's inner layers.
"""

import hashlib
import secrets
from collections.abc import Iterable
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_vlm import apc, apc_adapters
from mlx_vlm.generate import ar
from mlx_vlm.models.cache import ArraysCache, BatchKVCache, make_prompt_cache

from launcher.patching import require_names, unsupported_version

EMBEDS = "deepstack_visual_embeds"
MASKS = "visual_pos_masks"
SPREAD = "_deepstack_is_spread"
"""Marks prompt arguments whose features were spread over the tokens; Qwen3-Omni's come that way."""

PATCHED = {
    apc: ("self_check_model_apc", "hash_image_payload", "_tensor_content_hash"),
    ar.GenerationBatch: ("filter",),
    ar.PromptProcessingBatch: ("remove", "generate", "_prompt_kwargs_for_step"),
}


def patch() -> None:
    """Patches mlx_vlm. Raises FatalError if its version is not supported."""
    require_names(PATCHED)
    _patch_deepstack()
    _patch_padding()
    patch_prefix_cache()


# -- prefix cache


def patch_prefix_cache() -> None:
    """For models with a plain KV cache (Qwen2-VL and most others), mlx_vlm caches prompts in blocks
    and never reuses them if the prompt has images (`apc_lookup_plan`, `apc.py`), so every follow-up
    question would prefill the whole conversation. Other models use checkpoints of the whole prompt,
    keyed by the hash of its images; here all models do.

    mlx_vlm hashes images that it cannot read to 0. That includes lists of images of different sizes
    (Pixtral, Gemma 4), so such a prompt was answered with the images of an earlier one that had the
    same text and sizes. Here each image of a list is hashed, and an unreadable one matches nothing.
    """
    plan = apc_adapters.PrefixCachePlan
    if not isinstance(getattr(plan, "strategy", None), property):
        raise unsupported_version("PrefixCachePlan.strategy is not a property")
    plan.strategy = property(lambda self: "checkpoint" if self.restorable else None)
    self_check, hash_payload = apc.self_check_model_apc, apc.hash_image_payload

    def check_custom_caches(model: Any, **options: Any) -> Any:
        """Skips models with the plain cache: the check rejects it, although it is supported."""
        has_custom_cache = hasattr(getattr(model, "language_model", model), "make_cache")
        return self_check(model, **options) if has_custom_cache else None

    def hash_images(pixel_values: Any = None, image_ref: Any = None) -> int:
        if pixel_values is None:
            return hash_payload(image_ref=image_ref)
        return hash_pixels(pixel_values)

    apc.self_check_model_apc = check_custom_caches
    apc.hash_image_payload = hash_images


def hash_pixels(pixels: Any) -> int:
    """A hash of all pixels, or a random number if they cannot be read."""
    if isinstance(pixels, (list, tuple)):
        digest = hashlib.sha256(repr([hash_pixels(each) for each in pixels]).encode()).digest()
        return int.from_bytes(digest[:8], "little", signed=True)
    if isinstance(pixels, (mx.array, np.ndarray)) and pixels.dtype != object:
        try:
            return apc._tensor_content_hash(pixels)
        except Exception:
            pass  # a cache miss costs time, a wrong hit would give a wrong answer
    return secrets.randbits(63)


# -- padding


def _patch_padding() -> None:
    """mlx_vlm pads the prompts of a batch to one length. Its models expect at least one row without
    padding; otherwise many of them count padding as tokens (`c0.offset.size > 1` in the
    `language.py` of Qwen2-VL, Qwen2.5-VL, GLM-4V and others), and from the second token on an
    answer is computed at the wrong positions. All rows had padding when

    - the longest prompt was cancelled before its first token;
    - prompts found in the prefix cache were batched with new ones.

    In the second case models with recurrent state (Qwen3.5) also answer wrongly when only some rows
    are padded, so their prompts are prefilled one at a time.
    """
    batch, generator = ar.PromptProcessingBatch, ar.BatchGenerator
    remove, generate, init = batch.remove, batch.generate, generator.__init__

    def init_with_prefill_size(self: Any, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        if not hasattr(self, "prefill_batch_size"):
            raise unsupported_version("BatchGenerator.prefill_batch_size is missing")
        if self.apc_manager is not None and has_recurrent_state(make_prompt_cache(self.model)):
            self.prefill_batch_size = 1

    def remove_and_drop_padding(self: Any, uid: int) -> None:
        remove(self, uid)
        if self.uids:
            drop_leading_padding(self)

    def generate_without_padding(self: Any, *args: Any, **options: Any) -> Any:
        is_padded = any(self._right_pad_per_row or ()) or min(self._left_padding_per_row) > 0
        generation = generate(self, *args, **options)
        if is_padded:
            # Keeps every row, and drops the columns that are padding in all of them.
            generation.filter(list(range(len(generation.uids))))
        return generation

    generator.__init__ = init_with_prefill_size
    batch.remove = remove_and_drop_padding
    batch.generate = generate_without_padding


def has_recurrent_state(caches: Iterable[Any]) -> bool:
    return any(
        isinstance(cache, ArraysCache) or has_recurrent_state(getattr(cache, "caches", ()))
        for cache in caches
    )


def drop_leading_padding(batch: Any) -> None:
    """Skips the next columns if they are padding in every row."""
    columns = min(batch._left_padding_per_row) - batch._processed_prompt_columns
    is_plain = all(type(cache) is BatchKVCache for cache in batch.prompt_cache)
    if batch._right_pad_per_row is not None or columns <= 0 or not is_plain:
        return
    batch._input_ids = batch._input_ids[:, columns:]
    batch._inputs_embeds = batch._inputs_embeds[:, columns:]
    for key in batch._prompt_length_aware_keys:
        value = batch._prompt_kwargs[key]
        batch._prompt_kwargs[key] = ar._slice_sequence_aligned_prompt_kwarg(
            key, value, start=columns
        )
    for cache in batch.prompt_cache:
        cache.left_padding = cache.left_padding - columns
        cache.offset = cache.offset + columns
    batch._processed_prompt_columns += columns


# -- DeepStack


def _patch_deepstack() -> None:
    """Qwen3-VL adds DeepStack features to its first layers. mlx_vlm passes them as one list for all
    image tokens, and starts reading it from the beginning for each batch row and each chunk: only
    the first row got its features, and a second chunk got those of the first. Here the features are
    laid out per token, as mlx_vlm does for Qwen3-Omni, so that its own code pads, slices and joins
    them correctly; the list is rebuilt for each chunk.
    """
    batch = ar.PromptProcessingBatch
    if EMBEDS not in getattr(ar, "_SEQUENCE_ALIGNED_PROMPT_KWARGS", ()):
        raise unsupported_version(f"{EMBEDS} is not sliced with its prompt")
    insert, step, generate = ar.BatchGenerator.insert, batch._prompt_kwargs_for_step, batch.generate

    def insert_spread(
        self: Any, prompts: Any, max_tokens: Any = None, prompt_kwargs: Any = None, **more: Any
    ) -> list[int]:
        rows = None if prompt_kwargs is None else [spread(row) for row in prompt_kwargs]
        return insert(self, prompts, max_tokens, rows, **more)

    def step_gathered(self: Any, n: int | None = None) -> dict:
        return gather(step(self, n))

    def generate_gathered(self: Any, *args: Any, **options: Any) -> Any:
        self._prompt_kwargs = gather(self._prompt_kwargs)
        return generate(self, *args, **options)

    ar.BatchGenerator.insert = insert_spread
    batch._prompt_kwargs_for_step = step_gathered
    batch.generate = generate_gathered


def spread(kwargs: dict | None) -> dict | None:
    """Turns a prompt's list of features, one array per layer, into [1, tokens, layers, width]."""
    layers, mask = (kwargs or {}).get(EMBEDS), (kwargs or {}).get(MASKS)
    if not isinstance(layers, list) or not layers or mask is None or mask.shape[0] != 1:
        return kwargs
    positions = mx.array(np.flatnonzero(np.array(mask)), dtype=mx.uint32)
    features = mx.stack(layers, axis=1)
    spread_out = mx.zeros((mask.shape[1], *features.shape[1:]), dtype=features.dtype)
    spread_out[positions] = features
    return {**kwargs, EMBEDS: spread_out[None], SPREAD: True}


def gather(kwargs: dict) -> dict:
    """Turns spread features back into a list, for the tokens that these arguments cover."""
    if SPREAD not in kwargs:
        return kwargs
    rest = {key: value for key, value in kwargs.items() if key != SPREAD}
    features = rest[EMBEDS].reshape(-1, *rest[EMBEDS].shape[2:])
    positions = np.flatnonzero(np.array(rest[MASKS]))
    if len(positions) == 0:
        return {**rest, EMBEDS: None}
    picked = features[mx.array(positions, dtype=mx.uint32)]
    return {**rest, EMBEDS: [picked[:, layer] for layer in range(picked.shape[1])]}

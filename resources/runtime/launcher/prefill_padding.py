"""Has padding never count as part of a prompt.

mlx_vlm 0.7.10 pads prompts that it computes together to one length. Its models expect that at least
one of them has no padding; otherwise many take the padding for tokens (`c0.offset.size > 1` in the
`language.py` of Qwen2-VL, Qwen2.5-VL, GLM-4V and others), and from its second token on an answer is
computed for positions too far along. Padding was left in all rows

- when the longest prompt was cancelled before its first token;
- when prompts that the prefix cache knows were computed with new ones.

Models with a recurrent state (Qwen3.5) also answer wrong in the second case where no row has too
much padding. Their prompts are computed one after another.
"""

from collections.abc import Iterable
from typing import Any

from mlx_vlm.generate import ar
from mlx_vlm.models.cache import ArraysCache, BatchKVCache, make_prompt_cache

from launcher.other_version import other_version


def patch() -> None:
    """Changes mlx_vlm in place. Raises FatalError when it is another mlx_vlm than expected."""
    batch, generator = ar.PromptProcessingBatch, ar.BatchGenerator
    if not hasattr(batch, "remove") or not hasattr(ar.GenerationBatch, "filter"):
        raise other_version("prompts cannot be removed while they are computed")
    remove, generate, init = batch.remove, batch.generate, generator.__init__

    def init_one_by_one(self: Any, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        if not hasattr(self, "prefill_batch_size"):
            raise other_version("the number of prompts computed together cannot be set")
        if self.apc_manager is not None and has_state(make_prompt_cache(self.model)):
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

    generator.__init__ = init_one_by_one
    batch.remove = remove_and_drop_padding
    batch.generate = generate_without_padding


def has_state(caches: Iterable[Any]) -> bool:
    """Whether a layer keeps a recurrent state."""
    return any(
        isinstance(cache, ArraysCache) or has_state(getattr(cache, "caches", ()))
        for cache in caches
    )


def drop_leading_padding(batch: Any) -> None:
    """Skips the columns that come next if they are padding in every row."""
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

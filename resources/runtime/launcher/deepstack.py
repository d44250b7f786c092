"""Gives each token of a picture its own features of the vision model's inner layers (DeepStack).

Qwen3-VL adds them to its first layers. mlx_vlm hands them on as one list of all pictures' tokens,
and where a prompt is not computed in one piece it begins that list anew: of prompts computed
together only the first gets its features, and of a long prompt the second chunk gets those of the
first. Here they lie beside their tokens, as mlx_vlm itself has it for Qwen3-Omni, so that its own
code pads, cuts and joins them rightly; the list is made again for each piece.
"""

from typing import Any

import mlx.core as mx
import numpy as np
from mlx_vlm.generate import ar

from launcher.other_version import other_version

EMBEDS = "deepstack_visual_embeds"
MASKS = "visual_pos_masks"
SPREAD = "_deepstack_is_spread"
"""Marks the arguments of a model that wants the list: Qwen3-Omni does not."""


def patch() -> None:
    """Changes mlx_vlm in place. Raises FatalError for an unexpected version of mlx_vlm."""
    batch = ar.PromptProcessingBatch
    for holder, name in ((batch, "_prompt_kwargs_for_step"), (batch, "generate")):
        if not hasattr(holder, name):
            raise other_version(f"{holder.__name__}.{name} is missing")
    if EMBEDS not in getattr(ar, "_SEQUENCE_ALIGNED_PROMPT_KWARGS", ()):
        raise other_version(f"{EMBEDS} is not cut with its prompt")
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
    """The list of a prompt's features, one array for each layer, as [1, tokens, layers, width]."""
    layers, mask = (kwargs or {}).get(EMBEDS), (kwargs or {}).get(MASKS)
    if not isinstance(layers, list) or not layers or mask is None or mask.shape[0] != 1:
        return kwargs
    places = mx.array(np.flatnonzero(np.array(mask)), dtype=mx.uint32)
    features = mx.stack(layers, axis=1)
    spread_out = mx.zeros((mask.shape[1], *features.shape[1:]), dtype=features.dtype)
    spread_out[places] = features
    return {**kwargs, EMBEDS: spread_out[None], SPREAD: True}


def gather(kwargs: dict) -> dict:
    """The list again, for the tokens that these arguments are of."""
    if SPREAD not in kwargs:
        return kwargs
    rest = {key: value for key, value in kwargs.items() if key != SPREAD}
    features = rest[EMBEDS].reshape(-1, *rest[EMBEDS].shape[2:])
    places = np.flatnonzero(np.array(rest[MASKS]))
    if len(places) == 0:
        return {**rest, EMBEDS: None}
    picked = features[mx.array(places, dtype=mx.uint32)]
    return {**rest, EMBEDS: [picked[:, layer] for layer in range(picked.shape[1])]}

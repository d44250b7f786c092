"""Sampling where each row of a batch keeps what its own request asked for, in plain mlx.

Knows nothing of mlx_vlm's classes; `upstream.py` puts it in their place.
"""

from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from mlx_vlm.generate import ar
from mlx_vlm.sample_utils import apply_min_p

from shared.request_mistakes import RefusedError

sample_with_positions = ar._sample_with_positions


@dataclass
class Row:
    """How one request of a batch is sampled."""

    sampler: Any
    logprobs: bool
    processors: list[Any]
    min_p: float = 0.0
    sampling_error: Exception | None = None

    @property
    def greedy(self) -> bool:
        return self.sampler is None

    def sample(self, logprobs: mx.array, **place: Any) -> mx.array:
        """One token; the likeliest once sampling has failed."""
        if self.sampler is not None:
            try:
                if self.min_p > 0:
                    logprobs = apply_min_p(logprobs, self.min_p)
                return sample_with_positions(self.sampler, logprobs, **place)
            except Exception as error:
                self.sampling_error = error
                self.sampler = None
        return mx.argmax(logprobs, axis=-1)

    @property
    def error(self) -> Exception | None:
        """Why it cannot go on: its sampler or its grammar failed."""
        if self.sampling_error is not None:
            return self.sampling_error
        for processor in self.processors:
            inner = getattr(processor, "processor", processor)
            if (error := getattr(inner, "error", None)) is not None:
                return error
        return None


class Processors(list):
    """A request's logits processors, which is all that mlx_vlm hands on to the batch of it."""

    row: Row


class RowSampler:
    """Samples each row of a batch as its own request asked. `order` names the rows, by uid."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.order: list[int] = []

    def __call__(self, logprobs: mx.array) -> mx.array:
        return self.sample_target(logprobs, row_ids=[0] * len(self.order), positions=None)

    def sample_target(self, logprobs: mx.array, *, row_ids: Any, positions: Any) -> mx.array:
        rows = [self.rows[uid] for uid in self.order]
        if all(row.greedy for row in rows):
            return mx.argmax(logprobs, axis=-1)
        sampled = [
            row.sample(
                logprobs[i : i + 1],
                row_ids=row_ids[i : i + 1],
                positions=positions[i : i + 1] if positions is not None else None,
            )
            for i, row in enumerate(rows)
        ]
        return sampled[0] if len(sampled) == 1 else mx.concatenate(sampled)

    def wants(self, uids: list[int]) -> tuple[bool, bool]:
        """Whether one of these rows wants logprobs, and whether all of them are greedy."""
        rows = [self.rows[uid] for uid in uids]
        return any(row.logprobs for row in rows), all(row.greedy for row in rows)


def check_logit_bias(config: Any, logit_bias: dict[int, float] | None) -> None:
    """mlx does not check indices: a token the model does not have would crash the process."""
    text = getattr(config, "text_config", None) or config
    count = getattr(text, "vocab_size", None) or config.vocab_size
    for token in logit_bias or ():
        if not 0 <= token < count:
            raise RefusedError(f"logit_bias names token {token}; the model's are 0 to {count - 1}.")


def pad_logprobs(batch: Any, other: Any) -> None:
    """Gives rows without logprobs some to join those that have them; nobody reads these."""
    rows = len(batch.uids)
    for name in ("_current_lps", "_next_lps", "_next_top_idx", "_next_top_lp"):
        theirs = getattr(other, name, None)
        if getattr(batch, name, None) is None and theirs is not None:
            setattr(batch, name, mx.zeros((rows, *theirs.shape[1:]), dtype=theirs.dtype))

"""Patches sampling and logprobs in mlx_vlm 0.7.10.

- mlx_vlm samples a whole batch with the parameters of its first request (`_run_impl` of its
  `server/generation.py`) and ignores min_p. Here each row has its own temperature, top_p, top_k,
  min_p, seed and logprobs.
- A sampler or grammar that fails ends its own request, not the whole batch.
- The bytes of the tokens in logprobs, joined, are the text in UTF-8.
"""

import importlib
import inspect
import itertools
import re
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from mlx_vlm.generate import ar
from mlx_vlm.sample_utils import apply_min_p
from mlx_vlm.server import generation
from mlx_vlm.tokenizer_utils import BPEStreamingDetokenizer

from launcher.patching import require_names, require_parameters, unsupported_version
from shared.lines import RefusedError

PATCHED = {
    generation: ("BatchGenerator",),
    generation.ResponseGenerator: ("_step", "_make_logits_processors", "_make_sampler"),
    ar: ("_sample_with_positions",),
    ar.BatchGenerator: ("insert", "remove"),
    ar.GenerationBatch: ("_step", "extend"),
    ar.PromptProcessingBatch: ("generate",),
}

_batch_numbers = itertools.count(1)


def patch() -> None:
    """Patches mlx_vlm, after `structured_output` and `generation_thread`. Raises FatalError if its
    version is not supported."""
    require_names(PATCHED)
    expected = {"sampler", "compute_logprobs", "top_logprobs_k", "greedy_sampling"}
    if missing := expected - inspect.signature(ar.BatchGenerator).parameters.keys():
        raise unsupported_version(f"BatchGenerator has no {', '.join(sorted(missing))}")
    _patch_processors()
    _patch_batches()
    patch_token_bytes()


# -- one sampler per row


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
        """One token; the most likely one after sampling has failed."""
        if self.sampler is not None:
            try:
                if self.min_p > 0:
                    logprobs = apply_min_p(logprobs, self.min_p)
                return ar._sample_with_positions(self.sampler, logprobs, **place)
            except Exception as error:
                self.sampling_error = error
                self.sampler = None
        return mx.argmax(logprobs, axis=-1)

    @property
    def error(self) -> Exception | None:
        """The error of its sampler or its grammar, which ends the request."""
        if self.sampling_error is not None:
            return self.sampling_error
        for processor in self.processors:
            inner = getattr(processor, "processor", processor)
            if (error := getattr(inner, "error", None)) is not None:
                return error
        return None


class Processors(list):
    """A request's logits processors, the only request data that mlx_vlm passes to the batch."""

    row: Row


class RowSampler:
    """Samples each row of a batch with its own parameters. `order` lists the uids of the rows."""

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

    def any_logprobs(self, uids: list[int]) -> bool:
        return any(self.rows[uid].logprobs for uid in uids)

    def all_greedy(self, uids: list[int]) -> bool:
        return all(self.rows[uid].greedy for uid in uids)


class RowBatchGenerator(ar.BatchGenerator):
    """A batch with a sampler for each row, and uids that are unique across batches.

    mlx_vlm numbers the rows of every new batch from 0, so a late cancellation could hit the next
    request.
    """

    def __init__(self, *args: Any, top_logprobs_k: int = 0, **kwargs: Any) -> None:
        kwargs.update(sampler=RowSampler(), compute_logprobs=False, greedy_sampling=False)
        super().__init__(*args, top_logprobs_k=0, **kwargs)
        self.uid_count = next(_batch_numbers) << 32

    def insert(self, prompts: Any, *args: Any, logits_processors: Any, **kwargs: Any) -> list[int]:
        uids = super().insert(prompts, *args, logits_processors=logits_processors, **kwargs)
        rows = self.sampler.rows
        for uid in rows.keys() - self._live_uids():
            del rows[uid]
        for uid, processors in zip(uids, logits_processors, strict=True):
            rows[uid] = processors.row
        return uids

    def _live_uids(self) -> set[int]:
        prompts = self._prompt_batch.uids if self._prompt_batch is not None else []
        return {
            *prompts,
            *self._generation_batch.uids,
            *(s[0] for s in self._unprocessed_sequences),
        }


def _patch_processors() -> None:
    make_processors = generation.ResponseGenerator._make_logits_processors
    step = generation.ResponseGenerator._step

    def make_row(self: Any, args: Any, input_ids: Any = None) -> Processors:
        check_logit_bias(self.model.config, args.logit_bias)
        processors = Processors(make_processors(self, args, input_ids))
        sampler = self._make_sampler(args)
        processors.row = Row(sampler, bool(args.logprobs), processors, min_p=args.min_p)
        return processors

    def step_and_drop_failed(
        self: Any, batch_gen: Any, active: dict, gen_kwargs: Any = None
    ) -> None:
        step(self, batch_gen, active, gen_kwargs)
        failed = [uid for uid in active if batch_gen.sampler.rows[uid].error is not None]
        for uid in failed:
            error = batch_gen.sampler.rows[uid].error
            if batch_gen.remove(uid):
                active.pop(uid)["rqueue"].put(error)

    generation.ResponseGenerator._make_logits_processors = make_row
    generation.ResponseGenerator._step = step_and_drop_failed


def _patch_batches() -> None:
    step, extend = ar.GenerationBatch._step, ar.GenerationBatch.extend
    prefill = ar.PromptProcessingBatch.generate
    top_logprobs_k = generation.get_top_logprobs_k()

    def step_rows(self: Any) -> Any:
        self.sampler.order = self.uids
        self.compute_logprobs = self.sampler.any_logprobs(self.uids)
        self.greedy_sampling = self.sampler.all_greedy(self.uids)
        self.top_logprobs_k = top_logprobs_k if self.compute_logprobs else 0
        return step(self)

    def prefill_rows(self: Any, sampler: Any, stop_criteria: Any, **_: Any) -> Any:
        sampler.order = self.uids
        logprobs = sampler.any_logprobs(self.uids)
        k = top_logprobs_k if logprobs else 0
        return prefill(self, sampler, stop_criteria, compute_logprobs=logprobs, top_logprobs_k=k)

    def extend_rows(self: Any, other: Any) -> None:
        if len(self.uids) > 0 and len(other.uids) > 0:
            pad_logprobs(self, other)
            pad_logprobs(other, self)
        extend(self, other)

    generation.BatchGenerator = RowBatchGenerator
    ar.GenerationBatch._step = step_rows
    ar.GenerationBatch.extend = extend_rows
    ar.PromptProcessingBatch.generate = prefill_rows


def check_logit_bias(config: Any, logit_bias: dict[int, float] | None) -> None:
    """Raises RefusedError for an unknown token: mlx does not check indices and would crash."""
    text = getattr(config, "text_config", None) or config
    count = getattr(text, "vocab_size", None) or config.vocab_size
    for token in logit_bias or ():
        if not 0 <= token < count:
            raise RefusedError(f"logit_bias names token {token}; the model's are 0 to {count - 1}.")


def pad_logprobs(batch: Any, other: Any) -> None:
    """Gives a batch without logprobs zeros, so that it can join one with logprobs. They are never
    read."""
    rows = len(batch.uids)
    for name in ("_current_lps", "_next_lps", "_next_top_idx", "_next_top_lp"):
        theirs = getattr(other, name, None)
        if getattr(batch, name, None) is None and theirs is not None:
            setattr(batch, name, mx.zeros((rows, *theirs.shape[1:]), dtype=theirs.dtype))


# -- bytes of tokens

BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")
SPACE = "\u2581"


def patch_token_bytes() -> None:
    """mlx_vlm decodes each token on its own (`_decode_token` in its `server/app.py`): a token that
    is part of a character becomes U+FFFD, and SentencePiece's tokens lose their space. Covers
    byte-level BPE and SentencePiece with byte fallback; other tokenizers are unchanged."""
    # `mlx_vlm.server.app` as an attribute is the FastAPI object.
    app = importlib.import_module("mlx_vlm.server.app")
    require_parameters(app, "_decode_token", ("tokenizer", "token_id"))
    require_names({BPEStreamingDetokenizer: ("make_byte_decoder",)})
    BPEStreamingDetokenizer.make_byte_decoder()
    decode = app._decode_token

    def decode_token(tokenizer: Any, token_id: int) -> tuple[str, list[int] | None]:
        raw = token_bytes(tokenizer, int(token_id))
        if raw is None:
            return decode(tokenizer, token_id)
        return raw.decode("utf-8", errors="replace"), list(raw)

    app._decode_token = decode_token


def token_bytes(tokenizer: Any, token_id: int) -> bytes | None:
    """None if only the tokenizer itself can decode the token."""
    decoder = repr(getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None))
    piece = tokenizer.convert_ids_to_tokens(token_id) if decoder != "None" else None
    if not isinstance(piece, str):
        return None
    if "ByteLevel" in decoder:
        byte_of = BPEStreamingDetokenizer._byte_decoder
        # Special tokens may contain characters that do not stand for a byte.
        return bytes(map(byte_of.get, piece)) if byte_of.keys() >= set(piece) else None
    if "ByteFallback" in decoder:
        if byte := BYTE_PIECE.fullmatch(piece):
            return bytes([int(byte[1], 16)])
        return piece.replace(SPACE, " ").encode()
    return None

"""The places where mlx_vlm 0.7.10 is changed, all of them.

- Tracking: the generation thread tells when it lets go of a request, and counts its steps.
- Sampling: mlx_vlm samples a whole batch as its first request asked (`_run_impl` of its
  `server/generation.py`). Here each row keeps its own temperature, top_p, top_k, seed and logprobs.
- Cancelling: mlx_vlm counts its generations from 0 in every new batch, so that a late cancellation
  could hit the next request. Here the numbers differ.
- JSON mode: a grammar that fails ends its own request, not the whole batch; without Metal the mask
  is applied with plain mlx.

Does not touch models, caches or HTTP. Every patched name is checked at start.
"""

import inspect
import itertools
from dataclasses import dataclass
from importlib.metadata import version
from queue import Queue
from typing import Any

import mlx.core as mx
from lines import FatalError
from mlx_vlm import structured
from mlx_vlm.generate import ar
from mlx_vlm.server import generation
from requests_in_flight import RequestsInFlight, current_request

PATCHED = {
    generation: ("BatchGenerator", "QueuedGenerationRequest"),
    generation.ResponseGenerator: (
        "_step",
        "_gpu_embed",
        "_make_logits_processors",
        "_make_sampler",
    ),
    ar: ("_sample_with_positions",),
    ar.BatchGenerator: ("insert", "remove"),
    ar.GenerationBatch: ("_step", "extend"),
    ar.PromptProcessingBatch: ("generate",),
    structured: ("_apply_llguidance_mask",),
    structured.LLGuidanceLogitsProcessor: ("__call__", "process_last_token", "clone"),
}

requests = RequestsInFlight()


@dataclass
class Progress:
    """Steps of the generation thread: pictures read, chunks of prompts, tokens of the batch."""

    steps: int = 0


progress = Progress()


def patch() -> None:
    """Changes mlx_vlm in place. Raises FatalError when it is another mlx_vlm than expected."""
    for holder, names in PATCHED.items():
        for name in names:
            if not hasattr(holder, name):
                fail(f"{holder.__name__}.{name} is missing")
    wanted = {"sampler", "compute_logprobs", "top_logprobs_k", "greedy_sampling"}
    if missing := wanted - inspect.signature(ar.BatchGenerator).parameters.keys():
        fail(f"BatchGenerator takes no {', '.join(sorted(missing))}")
    _patch_tracking()
    _patch_sampling()
    _patch_grammar()


def fail(what: str) -> None:
    raise FatalError(
        "load_failed",
        f"mlx_vlm {version('mlx-vlm')} is not the version this launcher was made for: {what}.",
        "Remove resources/runtime/.venv and run `npm start`.",
    )


# -- tracking


def _patch_tracking() -> None:
    generation.QueuedGenerationRequest = TrackedRequest
    for name in ("_step", "_gpu_embed"):
        setattr(generation.ResponseGenerator, name, _counted(name))


def _counted(name: str) -> Any:
    upstream = getattr(generation.ResponseGenerator, name)

    def counted(*args: Any, **kwargs: Any) -> Any:
        result = upstream(*args, **kwargs)
        progress.steps += 1
        return result

    return counted


@dataclass
class TrackedRequest(generation.QueuedGenerationRequest):
    """Holds its request open until the generation thread has put the last item into its queue."""

    def __post_init__(self) -> None:
        request_id = current_request.get()
        requests.hold(request_id)
        requests.count(request_id, prompt=self.prompt_tokens)
        requests.generating += 1
        self.rqueue.put = _until_last(self.rqueue, request_id)


def _until_last(queue: Queue, request_id: str | None) -> Any:
    """`queue.put`, which releases the request at None or an exception: nothing follows those."""
    put = queue.put
    open_ = True

    def tracked(item: Any) -> None:
        nonlocal open_
        if isinstance(item, generation.StreamingToken):
            first = item.cached_tokens if queue.cached_is_new else 0
            queue.cached_is_new = False
            requests.count(request_id, made=item.token_count, cached=first)
        put(item)
        if open_ and (item is None or isinstance(item, Exception)):
            open_ = False
            requests.generating -= 1
            requests.release(request_id)

    queue.cached_is_new = True
    return tracked


# -- sampling


@dataclass
class Row:
    """How one request of a batch is sampled."""

    sampler: Any
    logprobs: bool
    processors: list[Any]

    @property
    def greedy(self) -> bool:
        return self.sampler is None

    @property
    def error(self) -> Exception | None:
        """Why its grammar failed."""
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
            mx.argmax(logprobs[i : i + 1], axis=-1)
            if row.greedy
            else ar_sample(
                row.sampler,
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


ar_sample = ar._sample_with_positions
_batches = itertools.count(1)


class RowBatchGenerator(ar.BatchGenerator):
    """mlx_vlm's batch, with a sampler for each row and numbers no other batch has used."""

    def __init__(self, *args: Any, top_logprobs_k: int = 0, **kwargs: Any) -> None:
        kwargs.update(sampler=RowSampler(), compute_logprobs=False, greedy_sampling=False)
        super().__init__(*args, top_logprobs_k=0, **kwargs)
        self.uid_count = next(_batches) << 32

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


def _patch_sampling() -> None:
    generation.BatchGenerator = RowBatchGenerator
    make_processors = generation.ResponseGenerator._make_logits_processors
    step_all = generation.ResponseGenerator._step
    step, extend = ar.GenerationBatch._step, ar.GenerationBatch.extend
    prefill = ar.PromptProcessingBatch.generate

    def make_logits_processors(self: Any, args: Any, input_ids: Any = None) -> Processors:
        processors = Processors(make_processors(self, args, input_ids))
        processors.row = Row(self._make_sampler(args), bool(args.logprobs), processors)
        return processors

    def step_and_drop_failed(
        self: Any, batch_gen: Any, active: dict, gen_kwargs: Any = None
    ) -> None:
        step_all(self, batch_gen, active, gen_kwargs)
        failed = [uid for uid in active if batch_gen.sampler.rows[uid].error is not None]
        for uid in failed:
            error = batch_gen.sampler.rows[uid].error
            if batch_gen.remove(uid):
                active.pop(uid)["rqueue"].put(error)

    def step_rows(self: Any) -> Any:
        self.sampler.order = self.uids
        logprobs, greedy = self.sampler.wants(self.uids)
        self.compute_logprobs, self.greedy_sampling = logprobs, greedy
        self.top_logprobs_k = top_logprobs_k if logprobs else 0
        return step(self)

    def prefill_rows(self: Any, sampler: Any, stop_criteria: Any, **_: Any) -> Any:
        sampler.order = self.uids
        logprobs, _greedy = sampler.wants(self.uids)
        k = top_logprobs_k if logprobs else 0
        return prefill(self, sampler, stop_criteria, compute_logprobs=logprobs, top_logprobs_k=k)

    def extend_rows(self: Any, other: Any) -> None:
        if len(self.uids) > 0 and len(other.uids) > 0:
            _pad_logprobs(self, other)
            _pad_logprobs(other, self)
        extend(self, other)

    top_logprobs_k = generation.get_top_logprobs_k()
    generation.ResponseGenerator._make_logits_processors = make_logits_processors
    generation.ResponseGenerator._step = step_and_drop_failed
    ar.GenerationBatch._step = step_rows
    ar.GenerationBatch.extend = extend_rows
    ar.PromptProcessingBatch.generate = prefill_rows


def _pad_logprobs(batch: Any, other: Any) -> None:
    """Gives rows without logprobs some to join those that have them; nobody reads these."""
    rows = len(batch.uids)
    for name in ("_current_lps", "_next_lps", "_next_top_idx", "_next_top_lp"):
        theirs = getattr(other, name, None)
        if getattr(batch, name, None) is None and theirs is not None:
            setattr(batch, name, mx.zeros((rows, *theirs.shape[1:]), dtype=theirs.dtype))


# -- JSON mode


def _patch_grammar() -> None:
    processor = structured.LLGuidanceLogitsProcessor
    for name in ("__call__", "process_last_token"):
        setattr(processor, name, _guarded(getattr(processor, name)))
    if not mx.metal.is_available():
        structured._apply_llguidance_mask = apply_mask


def _guarded(upstream: Any) -> Any:
    """Keeps the error of a grammar with its request, where the generation thread finds it."""

    def guarded(self: Any, tokens: Any, logits: mx.array) -> mx.array:
        if getattr(self, "error", None) is not None:
            return logits
        try:
            return upstream(self, tokens, logits)
        except Exception as error:
            self.error = error
            return logits

    return guarded


def apply_mask(logits: mx.array, mask: mx.array) -> mx.array:
    """mlx_vlm's Metal kernel in plain mlx: bit n of the packed words allows token n."""
    logits, mask = (x[None, :] if x.ndim == 1 else x for x in (logits, mask))
    bits = (mask[:, :, None] >> mx.arange(32, dtype=mx.int32)) & 1
    allowed = bits.reshape(bits.shape[0], -1).astype(mx.bool_)
    missing = max(0, logits.shape[1] - allowed.shape[1])
    allowed = mx.pad(allowed, [(0, 0), (0, missing)])[:, : logits.shape[1]]
    return mx.where(allowed, logits, mx.array(-mx.inf, dtype=logits.dtype))

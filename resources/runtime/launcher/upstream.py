"""Where mlx_vlm 0.7.10 is changed in how it generates; `prefix_cache`, `structured_output`,
`deepstack`, `prefill_padding`, `image_errors` and `closed_streams` beside this change the rest.

- Tracking: the generation thread tells when it lets go of a request, and counts its steps.
- Sampling: mlx_vlm samples a whole batch as its first request asked (`_run_impl` of its
  `server/generation.py`) and ignores min_p. Here each row keeps its own temperature, top_p, top_k,
  min_p, seed and logprobs.
- Cancelling: mlx_vlm counts its generations from 0 in every new batch, so that a late cancellation
  could hit the next request. Here the numbers differ.
- Length: an answer ends with the context. A text that is far beyond the context is refused before
  all of it is tokenized.
- Failures: a picture or a sampler that fails ends its own request, not the whole batch; a GPU
  that fails ends the process.

Does not touch models, caches or HTTP. Every patched name is checked at start.
"""

import inspect
import itertools
from dataclasses import dataclass
from queue import Queue
from typing import Any

from mlx_vlm.generate import ar
from mlx_vlm.server import generation
from mlx_vlm.server.runtime import runtime

from launcher.gpu_failure import exit_if_gpu_failed
from launcher.model import context_length_of, refuse_beyond_context, refuse_long_text
from launcher.other_version import other_version
from launcher.requests_in_flight import Call, RequestsInFlight, current_call
from launcher.row_sampler import Processors, Row, RowSampler, check_logit_bias, pad_logprobs

PATCHED = {
    generation: ("BatchGenerator", "GenerationContext", "QueuedGenerationRequest"),
    generation.ResponseGenerator: (
        "_cancel",
        "_step",
        "_cpu_preprocess",
        "_gpu_embed",
        "_make_logits_processors",
        "_make_sampler",
    ),
    ar: ("_sample_with_positions",),
    ar.BatchGenerator: ("insert", "remove"),
    ar.GenerationBatch: ("_step", "extend"),
    ar.PromptProcessingBatch: ("generate",),
}

requests = RequestsInFlight()


@dataclass
class Progress:
    """Steps of the generation thread: pictures read, chunks of prompts, tokens of the batch."""

    steps: int = 0


progress = Progress()


def patch() -> None:
    """Changes mlx_vlm in place. Raises FatalError for an unexpected version of mlx_vlm."""
    for holder, names in PATCHED.items():
        for name in names:
            if not hasattr(holder, name):
                raise other_version(f"{holder.__name__}.{name} is missing")
    wanted = {"sampler", "compute_logprobs", "top_logprobs_k", "greedy_sampling"}
    if missing := wanted - inspect.signature(ar.BatchGenerator).parameters.keys():
        raise other_version(f"BatchGenerator takes no {', '.join(sorted(missing))}")
    _patch_tracking()
    _patch_sampling()


# -- tracking


def _patch_tracking() -> None:
    generation.QueuedGenerationRequest = TrackedRequest
    step, embed = generation.ResponseGenerator._step, generation.ResponseGenerator._gpu_embed

    def counted_step(*args: Any, **kwargs: Any) -> None:
        try:
            step(*args, **kwargs)
        except Exception as error:
            exit_if_gpu_failed(error)
            raise
        progress.steps += 1

    def counted_embed(self: Any, raw_inputs: dict, *args: Any, **kwargs: Any) -> Any:
        self.embed_error = None
        try:
            return embed(self, raw_inputs, *args, **kwargs)
        except Exception as error:
            # Raised again in `_make_logits_processors`, where mlx_vlm fails that request alone.
            self.embed_error = error
            return raw_inputs["input_ids"], {}
        finally:
            progress.steps += 1

    preprocess = generation.ResponseGenerator._cpu_preprocess

    def refuse_or_preprocess(self: Any, prompt: Any, *args: Any, **kwargs: Any) -> dict:
        if isinstance(prompt, str):
            refuse_long_text(self.tokenizer, prompt, context_length_of(self.model.config))
        return preprocess(self, prompt, *args, **kwargs)

    generation.ResponseGenerator._cpu_preprocess = refuse_or_preprocess
    generation.ResponseGenerator._step = counted_step
    generation.ResponseGenerator._gpu_embed = counted_embed


@dataclass
class TrackedRequest(generation.QueuedGenerationRequest):
    """Holds its request open until the generation thread has put the last item into its queue."""

    def __post_init__(self) -> None:
        refuse_beyond_context(self.prompt_tokens)
        limit = context_length_of(runtime.model_cache.get("config"))
        if limit is not None:
            self.args.max_tokens = min(self.args.max_tokens, limit - self.prompt_tokens)
        call = current_call.get()
        request_id = call and call.request_id
        requests.start_generation(request_id, prompt_tokens=self.prompt_tokens)
        self.rqueue.put = _until_last(self.rqueue, call, request_id)


def _until_last(queue: Queue, call: Call | None, request_id: str | None) -> Any:
    """`queue.put`, which releases the request at None or an exception: nothing follows those.

    None without a finish reason means that the generation was cancelled. mlx_vlm then ends the
    answer with "stop" (`finish_reason or "stop"` in its `openai.py`), as if it were complete. While
    the call still waits for the answer, it gets an error instead.
    """
    put = queue.put
    open_ = True
    finished = False

    def tracked(item: Any) -> None:
        nonlocal open_, finished
        if item is None and open_ and not finished and not (call is not None and call.over):
            item = RuntimeError("The generation was cancelled before its end.")
        if isinstance(item, Exception):
            exit_if_gpu_failed(item)
        if call is not None and isinstance(item, generation.GenerationContext):
            call.on_over(lambda: runtime.response_generator._cancel(item.uid))
        elif isinstance(item, generation.StreamingToken):
            finished = finished or item.finish_reason is not None
            if call is not None and finished:
                call.finish_reason = item.finish_reason
            requests.count(request_id, made=item.token_count, cached=item.cached_tokens)
        put(item)
        if open_ and (item is None or isinstance(item, Exception)):
            open_ = False
            requests.end_generation(request_id)

    return tracked


# -- sampling


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
        if self.embed_error is not None:
            raise self.embed_error
        check_logit_bias(self.model.config, args.logit_bias)
        processors = Processors(make_processors(self, args, input_ids))
        sampler = self._make_sampler(args)
        processors.row = Row(sampler, bool(args.logprobs), processors, min_p=args.min_p)
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
            pad_logprobs(self, other)
            pad_logprobs(other, self)
        extend(self, other)

    top_logprobs_k = generation.get_top_logprobs_k()
    generation.ResponseGenerator._make_logits_processors = make_logits_processors
    generation.ResponseGenerator._step = step_and_drop_failed
    ar.GenerationBatch._step = step_rows
    ar.GenerationBatch.extend = extend_rows
    ar.PromptProcessingBatch.generate = prefill_rows

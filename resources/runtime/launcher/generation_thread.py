"""Patches mlx_vlm 0.7.10's generation thread.

- Tracking: requests report when the thread has finished with them, and its steps are counted.
- Length: an answer ends at the context length. A text far beyond it is refused before all of it is
  tokenized.
- Failures: an image that fails ends its own request, not the whole batch. A GPU that fails ends the
  process.

`sampling.py` patches how the thread samples, `prefill.py` how it prefills prompts.
"""

import logging
import os
from dataclasses import dataclass
from queue import Queue
from typing import Any

from mlx_vlm import utils
from mlx_vlm.server import generation
from mlx_vlm.server.runtime import runtime

from launcher.model import context_length_of, refuse_beyond_context, refuse_long_text
from launcher.patching import require_names
from launcher.requests_in_flight import Call, RequestsInFlight, current_call
from shared.lines import RefusedError

PATCHED = {
    utils: ("load_image",),
    generation: ("GenerationContext", "QueuedGenerationRequest", "StreamingToken"),
    generation.ResponseGenerator: (
        "_cancel",
        "_step",
        "_cpu_preprocess",
        "_gpu_embed",
        "_make_logits_processors",
    ),
}

FAILED_COMMAND_BUFFER = "[METAL] Command buffer execution failed"
"""The start of the error message that MLX raises when the GPU fails (`mlx/backend/metal`)."""

requests = RequestsInFlight()


@dataclass
class Progress:
    """Steps of the generation thread: images embedded, prompt chunks, and tokens of the batch."""

    steps: int = 0


progress = Progress()


def patch() -> None:
    """Patches mlx_vlm. Raises FatalError if its version is not supported."""
    require_names(PATCHED)
    generation.QueuedGenerationRequest = TrackedRequest
    _patch_steps()
    _patch_inputs()
    _patch_load_image()


def _patch_steps() -> None:
    step = generation.ResponseGenerator._step

    def counted_step(*args: Any, **kwargs: Any) -> None:
        try:
            step(*args, **kwargs)
        except Exception as error:
            exit_if_gpu_failed(error)
            raise
        progress.steps += 1

    generation.ResponseGenerator._step = counted_step


def _patch_inputs() -> None:
    generator = generation.ResponseGenerator
    preprocess, embed = generator._cpu_preprocess, generator._gpu_embed
    make_processors = generator._make_logits_processors

    def refuse_or_preprocess(self: Any, prompt: Any, *args: Any, **kwargs: Any) -> dict:
        if isinstance(prompt, str):
            refuse_long_text(self.tokenizer, prompt, context_length_of(self.model.config))
        return preprocess(self, prompt, *args, **kwargs)

    def counted_embed(self: Any, raw_inputs: dict, *args: Any, **kwargs: Any) -> Any:
        self.embed_error = None
        try:
            return embed(self, raw_inputs, *args, **kwargs)
        except Exception as error:
            # Raised below, where mlx_vlm fails only the request that it belongs to.
            self.embed_error = error
            return raw_inputs["input_ids"], {}
        finally:
            progress.steps += 1

    def raise_or_make_processors(self: Any, args: Any, input_ids: Any = None) -> list:
        if self.embed_error is not None:
            raise self.embed_error
        return make_processors(self, args, input_ids)

    generator._cpu_preprocess = refuse_or_preprocess
    generator._gpu_embed = counted_embed
    generator._make_logits_processors = raise_or_make_processors


def _patch_load_image() -> None:
    """Gives every image error the same wording, by which the gateway tells an unreadable image
    (400) from a model that fails (500). mlx_vlm wraps errors from opening an image, but not errors
    from its metadata."""
    load_image = utils.load_image

    def load_or_refuse(*args: Any, **options: Any) -> Any:
        try:
            return load_image(*args, **options)
        except Exception as error:
            raise RefusedError(f"Failed to load image: {error}") from error

    utils.load_image = load_or_refuse


@dataclass
class TrackedRequest(generation.QueuedGenerationRequest):
    """Keeps its request open until the generation thread has put the last item into its queue."""

    def __post_init__(self) -> None:
        refuse_beyond_context(self.prompt_tokens)
        limit = context_length_of(runtime.model_cache.get("config"))
        if limit is not None:
            self.args.max_tokens = min(self.args.max_tokens, limit - self.prompt_tokens)
        call = current_call.get()
        request_id = call and call.request_id
        requests.start_generation(request_id, prompt_tokens=self.prompt_tokens)
        self.rqueue.put = tracked_put(self.rqueue, call, request_id)


def tracked_put(queue: Queue, call: Call | None, request_id: str | None) -> Any:
    """`queue.put`, releasing the request after the last item: None or an exception.

    None without a finish reason means that the generation was cancelled. mlx_vlm then ends the
    answer with "stop" (`finish_reason or "stop"` in its `openai.py`), as if it were complete. If
    the call is still waiting for the answer, it gets an error instead.
    """
    put = queue.put
    is_open = True
    finished = False

    def tracked(item: Any) -> None:
        nonlocal is_open, finished
        if item is None and is_open and not finished and not (call is not None and call.ended):
            item = RuntimeError("The generation was cancelled before its end.")
        if isinstance(item, Exception):
            exit_if_gpu_failed(item)
        if call is not None and isinstance(item, generation.GenerationContext):
            call.on_end(lambda: runtime.response_generator._cancel(item.uid))
        elif isinstance(item, generation.StreamingToken):
            finished = finished or item.finish_reason is not None
            if call is not None and finished:
                call.finish_reason = item.finish_reason
            requests.count(request_id, completion=item.token_count, cached=item.cached_tokens)
        put(item)
        if is_open and (item is None or isinstance(item, Exception)):
            is_open = False
            requests.end_generation(request_id)

    return tracked


def exit_if_gpu_failed(error: BaseException | None) -> None:
    """Exits with code 1 if the GPU caused `error`, because later results cannot be trusted.

    Since ml-explore/mlx#3523 a failed Metal command buffer (out of memory, or stopped because it
    blocked the display) no longer aborts the process: MLX raises its error at a later evaluation,
    or arrays contain zeros (ml-explore/mlx#3979, #4134). mlx_vlm would fail the batch and continue,
    with a prefix cache that may hold checkpoints of it. The supervisor restarts the process and
    retries its requests.
    """
    while error is not None:
        if FAILED_COMMAND_BUFFER in str(error):
            logging.getLogger("launcher").error("The GPU failed; the runtime restarts. %s", error)
            os._exit(1)
        error = error.__cause__ or error.__context__

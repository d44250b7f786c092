"""Patches for structured output in mlx_vlm 0.7.10.

- A grammar error ends its own request, not the whole batch.
- A schema is compiled and tried within limits before its request reaches the generation thread, so
  that one that is too complex is refused without delaying other requests.
- A schema waits until the model has thought only if the model thinks at all: mlx_vlm waits for
  `</think>` whenever thinking is asked for, so that other models were held to nothing.
- A regular expression, a grammar or a list of choices takes the place of a schema, as the gateway
  sends it.
- Without Metal the mask is applied with plain mlx.
"""

from functools import lru_cache
from typing import Any

import mlx.core as mx
import mlx_vlm.server
from llguidance import LLMatcher, LLParserLimits, grammar_from
from mlx_vlm import structured
from mlx_vlm.server import generation
from other_version import other_version
from request_mistakes import RefusedError

PATCHED = {
    structured: ("_allocate_shared_bitmask", "_apply_llguidance_mask"),
    structured.LLGuidanceLogitsProcessor: ("__call__", "process_last_token", "clone", "_setup"),
    generation.ResponseGenerator: ("_wrap_processors_until_thinking_done",),
    mlx_vlm.server: ("build_json_schema_logits_processor",),
    generation: ("DEFAULT_THINKING_START_TOKEN", "DEFAULT_THINKING_END_TOKEN"),
}

LIMITS = LLParserLimits(
    # Alternatives at one position, such as the optional properties that may come next.
    max_items_in_row=2000,
    # Initial work on the schema's patterns: about 20 ms.
    initial_lexer_fuel=1_000_000,
    # Work for each token: about 15 ms for the lexer, and 3 ms for the parser.
    step_lexer_fuel=200_000,
    step_max_items=50_000,
    # Memory: 1 to 2 kB per state, so about 100 MB.
    max_lexer_states=50_000,
    max_grammar_size=500_000,
    # The parser's state is long and of no use to clients.
    verbose_errors=False,
)

GRAMMAR = "x-sightglass-grammar"
"""Where the gateway puts a grammar instead of a schema; no client can send it."""

KEPT_GRAMMARS = 8
"""Number of compiled grammars to cache: programs tend to reuse a few schemas."""


def patch() -> None:
    """Changes mlx_vlm in place. Raises FatalError for an unexpected version of mlx_vlm."""
    for holder, names in PATCHED.items():
        for name in names:
            if not hasattr(holder, name):
                raise other_version(f"{holder.__name__}.{name} is missing")
    processor = structured.LLGuidanceLogitsProcessor
    for name in ("__call__", "process_last_token"):
        setattr(processor, name, _guarded(getattr(processor, name)))
    _patch_compiling(processor)
    _patch_waiting()
    _patch_grammars()
    if not mx.metal.is_available():
        structured._apply_llguidance_mask = apply_mask


def _patch_compiling(processor: Any) -> None:
    create = processor.__init__

    def create_checked(self: Any, grammar: str, llg_tokenizer: Any) -> None:
        create(self, grammar, llg_tokenizer)
        compiled(llg_tokenizer, grammar)

    def set_up_compiled(self: Any, batch_size: int) -> None:
        matcher = compiled(self.llg_tokenizer, self.grammar)
        self.ll_matchers = [matcher.deep_copy() for _ in range(batch_size)]
        self._mask_buffers = [
            structured._allocate_shared_bitmask(batch_size, self.llg_tokenizer.vocab_size)
            for _ in range(2)
        ]
        self._mask_cursor = -1

    processor.__init__, processor._setup = create_checked, set_up_compiled


@lru_cache(maxsize=KEPT_GRAMMARS)
def compiled(llg_tokenizer: Any, grammar: str) -> LLMatcher:
    """A matcher at the start of the grammar. Raises a RefusedError if it is too complex."""
    matcher = LLMatcher(llg_tokenizer, grammar, limits=LIMITS)
    # Many grammars fail only at the first step or the one after.
    trial = matcher.deep_copy()
    for _ in range(2):
        trial.compute_bitmask()
        if trial.is_error() or trial.is_stopped():
            break
        trial.consume_tokens(trial.compute_ff_tokens()[:1])
    if error := matcher.get_error() or trial.get_error():
        raise RefusedError(f"it is too complex ({error.splitlines()[0][:200]})")
    return matcher


def _patch_grammars() -> None:
    build = mlx_vlm.server.build_json_schema_logits_processor

    def build_any(tokenizer: Any, schema: Any) -> Any:
        asked = schema.get(GRAMMAR) if isinstance(schema, dict) else None
        processor = build(tokenizer, {"type": "null"} if asked else schema)
        if asked is None:
            return processor
        return structured.LLGuidanceLogitsProcessor(to_grammar(*asked), processor.llg_tokenizer)

    mlx_vlm.server.build_json_schema_logits_processor = build_any


def to_grammar(kind: str, text: str) -> str:
    """llguidance's grammar for a `regex`, a `choice` or a `grammar` (GBNF or Lark)."""
    return grammar_from(kind, text)


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


def _patch_waiting() -> None:
    wait = generation.ResponseGenerator._wrap_processors_until_thinking_done

    def wait_if_it_thinks(self: Any, args: Any, processors: list) -> list:
        start = args.thinking_start_token or generation.DEFAULT_THINKING_START_TOKEN
        end = args.thinking_end_token or generation.DEFAULT_THINKING_END_TOKEN
        templates = (getattr(x, "chat_template", None) for x in (self.processor, self.tokenizer))
        template = " ".join(str(template) for template in templates)
        return (
            wait(self, args, processors)
            if thinks(template, self.tokenizer, start, end)
            else processors
        )

    generation.ResponseGenerator._wrap_processors_until_thinking_done = wait_if_it_thinks


def thinks(template: str, tokenizer: Any, start: str, end: str) -> bool:
    """Whether a model thinks before it answers: its chat template mentions thinking, and a token
    of its own ends a thought."""
    knows = any(word in template for word in ("enable_thinking", start, end))
    return knows and len(tokenizer.encode(end, add_special_tokens=False)) == 1


def apply_mask(logits: mx.array, mask: mx.array) -> mx.array:
    """mlx_vlm's Metal kernel in plain mlx: bit n of the packed words allows token n."""
    logits, mask = (x[None, :] if x.ndim == 1 else x for x in (logits, mask))
    bits = (mask[:, :, None] >> mx.arange(32, dtype=mx.int32)) & 1
    allowed = bits.reshape(bits.shape[0], -1).astype(mx.bool_)
    missing = max(0, logits.shape[1] - allowed.shape[1])
    allowed = mx.pad(allowed, [(0, 0), (0, missing)])[:, : logits.shape[1]]
    return mx.where(allowed, logits, mx.array(-mx.inf, dtype=logits.dtype))

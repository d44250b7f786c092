"""Patches for structured output in mlx_vlm 0.7.10.

- A grammar error ends its own request, not the whole batch.
- A schema is compiled and tested within limits before its request reaches the generation thread, so
  a schema that is too complex is refused without delaying other requests.
- A grammar constrains the answer, not the reasoning before it. mlx_vlm waits for `</think>` if the
  request enables thinking. Here the prompt decides: if it ends inside reasoning, the grammar starts
  after that. If not, and thinking is enabled, the model may start with reasoning.
- A regular expression, a grammar or a list of choices can replace the schema.
- Without Metal, the mask is applied with plain mlx.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import mlx.core as mx
import mlx_vlm.server
from llguidance import LLMatcher, LLParserLimits, grammar_from
from mlx_vlm import structured
from mlx_vlm.server import generation

from launcher.patching import require_names
from launcher.reasoning import Markers, open_reasoning, reasoning_markers
from shared.lines import RefusedError

PATCHED = {
    structured: ("_allocate_shared_bitmask", "_apply_llguidance_mask"),
    structured.LLGuidanceLogitsProcessor: ("__call__", "process_last_token", "clone", "_setup"),
    generation.ResponseGenerator: ("_make_logits_processors", "_make_thinking_budget_criteria"),
    mlx_vlm.server: ("build_json_schema_logits_processor",),
}

LIMITS = LLParserLimits(
    # Alternatives at one position, such as the optional properties that may come next.
    max_items_in_row=2000,
    # Initial work on the patterns of a schema: about 20 ms.
    initial_lexer_fuel=1_000_000,
    # Work for each token: about 15 ms for the lexer, and 3 ms for the parser.
    step_lexer_fuel=200_000,
    step_max_items=50_000,
    # Memory: 1 to 2 kB per state, so about 100 MB.
    max_lexer_states=50_000,
    max_grammar_size=500_000,
    # The state of the parser is long and useless to clients.
    verbose_errors=False,
)

GRAMMAR = "x-sightglass-grammar"
"""The key under which the gateway sends a grammar instead of a schema. Clients cannot set it."""

KEPT_GRAMMARS = 8
"""Number of compiled grammars in the cache: programs tend to reuse a few schemas."""


def patch() -> None:
    """Patches mlx_vlm, before `sampling`. Raises FatalError if its version is not supported."""
    require_names(PATCHED)
    processor = structured.LLGuidanceLogitsProcessor
    for name in ("__call__", "process_last_token"):
        setattr(processor, name, _guarded(getattr(processor, name)))
    _patch_compiling(processor)
    _patch_thinking()
    _patch_grammars()
    if not mx.metal.is_available():
        structured._apply_llguidance_mask = apply_mask


def _patch_compiling(processor: Any) -> None:
    create = processor.__init__

    def create_checked(self: Any, grammar: str, llg_tokenizer: Any) -> None:
        create(self, grammar, llg_tokenizer)
        compile_grammar(llg_tokenizer, grammar)

    def setup_compiled(self: Any, batch_size: int) -> None:
        matcher = compile_grammar(self.llg_tokenizer, self.grammar)
        self.ll_matchers = [matcher.deep_copy() for _ in range(batch_size)]
        self._mask_buffers = [
            structured._allocate_shared_bitmask(batch_size, self.llg_tokenizer.vocab_size)
            for _ in range(2)
        ]
        self._mask_cursor = -1

    processor.__init__, processor._setup = create_checked, setup_compiled


@lru_cache(maxsize=KEPT_GRAMMARS)
def compile_grammar(llg_tokenizer: Any, grammar: str) -> LLMatcher:
    """A matcher at the start of the grammar. Raises RefusedError if the grammar is too complex."""
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
    """Accepts a `regex`, a `choice` or a `grammar` (GBNF or Lark) in place of a schema."""
    build = mlx_vlm.server.build_json_schema_logits_processor

    def build_any(tokenizer: Any, schema: Any) -> Any:
        grammar = schema.get(GRAMMAR) if isinstance(schema, dict) else None
        processor = build(tokenizer, {"type": "null"} if grammar else schema)
        if grammar is None:
            return processor
        return structured.LLGuidanceLogitsProcessor(grammar_from(*grammar), processor.llg_tokenizer)

    mlx_vlm.server.build_json_schema_logits_processor = build_any


def _guarded(upstream: Any) -> Any:
    """Stores a grammar's error with its request, for the generation thread to find."""

    def guarded(self: Any, tokens: Any, logits: mx.array) -> mx.array:
        if getattr(self, "error", None) is not None:
            return logits
        try:
            return upstream(self, tokens, logits)
        except Exception as error:
            self.error = error
            return logits

    return guarded


def _patch_thinking() -> None:
    make_processors = generation.ResponseGenerator._make_logits_processors
    make_budget = generation.ResponseGenerator._make_thinking_budget_criteria

    def make_delayed(self: Any, args: Any, input_ids: Any = None) -> list:
        if args.logits_processors is None or input_ids is None:
            return make_processors(self, args, input_ids)
        before = prompt_end(self.tokenizer, input_ids)
        markers = reasoning_markers(args.thinking_start_token, args.thinking_end_token)
        opened = open_reasoning(before, True, *markers[0])
        may_think = args.enable_thinking and not before.rstrip().endswith(
            tuple(end for _, end in markers)
        )
        if opened is None and not may_think:
            return make_processors(self, replace(args, enable_thinking=False), input_ids)
        delayed = [
            AfterReasoning(processor, self.tokenizer, opened, markers)
            for processor in args.logits_processors
        ]
        args = replace(args, enable_thinking=False, logits_processors=delayed)
        return make_processors(self, args, input_ids)

    def make_budget_for_model(self: Any, args: Any, input_ids: Any) -> Any:
        markers = reasoning_markers(args.thinking_start_token, args.thinking_end_token)
        opened = open_reasoning(prompt_end(self.tokenizer, input_ids), True, *markers[0])
        pair = opened or next((each for each in markers if has_tokens(self.tokenizer, each)), None)
        if pair is not None:
            start = self.tokenizer.decode(
                self.tokenizer.encode(pair[0], add_special_tokens=False)[:1]
            )
            thinks = args.enable_thinking or opened is not None
            args = replace(
                args,
                enable_thinking=thinks,
                thinking_start_token=start,
                thinking_end_token=pair[1],
            )
        return make_budget(self, args, input_ids)

    generation.ResponseGenerator._make_logits_processors = make_delayed
    generation.ResponseGenerator._make_thinking_budget_criteria = make_budget_for_model


PROMPT_END = 32
"""Number of tokens to search for a prompt's last marker."""


def prompt_end(tokenizer: Any, input_ids: Any) -> str:
    return tokenizer.decode(input_ids.flatten()[-PROMPT_END:].tolist())


def has_tokens(tokenizer: Any, markers: Markers) -> bool:
    """Whether the model has special tokens for these reasoning markers."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    start, end = (tokenizer.encode(marker, add_special_tokens=False) for marker in markers)
    return start[0] in added and len(end) == 1


class AfterReasoning:
    """Applies a grammar after the reasoning.

    The prompt may end inside reasoning. If not, the model may start with it: then the first token
    may be a start marker as well as what the grammar allows.
    """

    def __init__(
        self,
        processor: Any,
        tokenizer: Any,
        opened: Markers | None,
        markers: tuple[Markers, ...],
    ) -> None:
        self.processor = processor
        self._tokenizer = tokenizer
        self._markers = opened
        self._starts: dict[int, Markers] = {}
        for pair in markers if opened is None else ():
            if has_tokens(tokenizer, pair):
                self._starts[tokenizer.encode(pair[0], add_special_tokens=False)[0]] = pair
        self._is_first = True
        self._is_constrained = False
        self._ids: list[int] = []

    def __call__(self, tokens: mx.array, logits: mx.array) -> mx.array:
        if not self._is_first:
            return self.process_last_token(int(tokens.flatten()[-1].item()), logits)
        self._is_first = False
        if self._markers is not None:
            return logits
        constrained = self.processor(tokens, logits)
        is_start = mx.zeros(logits.shape[-1], dtype=mx.bool_)
        for token in self._starts:
            is_start = is_start | (mx.arange(logits.shape[-1]) == token)
        return mx.where(is_start, logits, constrained)

    def process_last_token(self, last_token: int, logits: mx.array) -> mx.array:
        if self._is_constrained:
            return self.processor.process_last_token(last_token, logits)
        if self._markers is None:
            self._markers = self._starts.get(last_token)
            if self._markers is None:
                self._is_constrained = True
                return self.processor.process_last_token(last_token, logits)
            self.processor.reset()
            return logits
        self._ids.append(last_token)
        if not self._has_ended():
            return logits
        self._is_constrained = True
        return self.processor.process_last_token(last_token, logits)

    def _has_ended(self) -> bool:
        end = self._tokenizer.encode(self._markers[1], add_special_tokens=False)
        if len(end) == 1:
            return self._ids[-1] == end[0]
        return self._markers[1] in self._tokenizer.decode(self._ids[-2 * len(end) :])


def apply_mask(logits: mx.array, mask: mx.array) -> mx.array:
    """The equivalent of mlx_vlm's Metal kernel: bit n of the packed words allows token n."""
    logits, mask = (x[None, :] if x.ndim == 1 else x for x in (logits, mask))
    bits = (mask[:, :, None] >> mx.arange(32, dtype=mx.int32)) & 1
    allowed = bits.reshape(bits.shape[0], -1).astype(mx.bool_)
    missing = max(0, logits.shape[1] - allowed.shape[1])
    allowed = mx.pad(allowed, [(0, 0), (0, missing)])[:, : logits.shape[1]]
    return mx.where(allowed, logits, mx.array(-mx.inf, dtype=logits.dtype))

"""The launcher with a model that answers from a script.

`python -I scripted_launcher.py SCRIPTS LAUNCHER …` starts LAUNCHER with the arguments that follow.
A prompt with `[[script NAME]]` is answered with the `text` of SCRIPTS/NAME.json, also in concurrent
requests. Its `parser` selects the format of the tool calls instead of the chat template.

The real server, batching, sampler, grammars, detokenizer and parsers run. Only the logits of a
request are replaced, before its grammar sees them: the script's next token is far likelier than
any other.
"""

import json
import re
import runpy
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import Any

NAMED = re.compile(r"\[\[script ([\w-]+)\]\]")
OTHERS = -60.0
"""The logit of every token but the next of the script."""

parser_of_request: ContextVar[str | None] = ContextVar("parser_of_request", default=None)


class Script:
    """A logits processor that forces the given tokens, and then repeats the last one."""

    def __init__(self, ids: list[int]) -> None:
        self._ids = ids
        self._place = 0

    def __call__(self, _: Any, logits: Any) -> Any:
        import mlx.core as mx

        token = self._ids[min(self._place, len(self._ids) - 1)]
        self._place += 1
        words = logits.shape[-1]
        likely = mx.where(mx.arange(words) == token, 0.0, OTHERS).astype(logits.dtype)
        return mx.broadcast_to(likely, logits.shape)


def read_script(scripts: Path, text: str) -> dict | None:
    names = NAMED.findall(text)
    return json.loads((scripts / f"{names[-1]}.json").read_text()) if names else None


def patch(scripts: Path) -> None:
    """Patches mlx_vlm before the launcher does."""
    from mlx_vlm.server import generation, openai

    make_processors = generation.ResponseGenerator._make_logits_processors
    prepare, infer = openai._prepare_chat_tool_choice, openai._infer_tool_parser_from_processor

    def with_script(self: Any, args: Any, input_ids: Any = None) -> list:
        processors = make_processors(self, args, input_ids)
        prompt = self.tokenizer.decode(input_ids.flatten().tolist())
        script = read_script(scripts, prompt)
        if script is None:
            return processors
        ids = self.tokenizer.encode(script["text"], add_special_tokens=False)
        return [Script([*ids, self.tokenizer.eos_token_id]), *processors]

    def prepare_and_note(messages: Any, *args: Any) -> Any:
        script = read_script(scripts, json.dumps(messages, default=str))
        parser_of_request.set((script or {}).get("parser"))
        return prepare(messages, *args)

    def infer_or_take(processor: Any, override: str | None = None) -> str | None:
        return infer(processor, override=parser_of_request.get() or override)

    generation.ResponseGenerator._make_logits_processors = with_script
    openai._prepare_chat_tool_choice = prepare_and_note
    openai._infer_tool_parser_from_processor = infer_or_take


def main() -> None:
    scripts, launcher = Path(sys.argv[1]), sys.argv[2]
    sys.argv[:] = sys.argv[2:]
    sys.path.insert(0, str(Path(launcher).parent))
    from shared.process import set_environment

    set_environment()  # before the first import of mlx_vlm
    patch(scripts)
    runpy.run_path(launcher, run_name="__main__")


if __name__ == "__main__":
    main()

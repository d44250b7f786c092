"""Renders conversations with the model's chat template, and says what the template can show.

- A template that refuses a conversation (`raise_exception`) gets it again in other forms that mean
  the same; if it refuses them all, its own words are the client's error. A template that fails in
  another way (an undefined value, a loop without end) is the model's fault, and is reported apart.
- Functions, calls and results are described as text where the template has no place for them.
- The last message of the assistant is continued if the request asks for it.

Counting a prompt's tokens goes the same way (`token_count.py`).
"""

import contextlib
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fastapi import HTTPException
from jinja2 import TemplateError
from mlx_vlm.server import openai
from mlx_vlm.server.responses_state import prompt_has_open_thinking
from mlx_vlm.server.runtime import runtime

from launcher.conversation import Message, fitting, with_calls_as_text, with_offer
from launcher.patching import unsupported_version

DESCRIBED_PARSER = "json_tools"
"""mlx_vlm's parser of the calls that `conversation.OFFER` asks for."""

RENDER_SECONDS = 3.0
"""A template that takes longer has no end; whole books take milliseconds."""

MAX_GROWTH = 1_000_000
"""A template may add so many characters to a conversation: instructions, not data."""

apply_chat_template = getattr(openai, "apply_chat_template", None)
infer_tool_parser = getattr(openai, "_infer_tool_parser_from_processor", None)


@dataclass(frozen=True)
class TemplateFacts:
    """What a chat template can show. The gateway reports what it cannot as ignored."""

    tools: str = "none"
    """`native`; `described`, in a system message; `none`, if the template shows no system text."""
    thinking: str = "none"
    """`optional`, if a request can turn it on and off; `always`; `none`."""
    reasoning_effort: bool = False
    """Whether the template knows more of an effort than on and off."""
    calls: bool = False
    """Whether it shows calls and their results. False if tools are described: they use one form."""
    thinking_name: str | None = None
    """What the template calls `enable_thinking`, if it has another name for it."""

    def to_line(self) -> dict[str, object]:
        """As the supervisor receives them (`server/runtime/protocol.ts`)."""
        return {
            "tools": self.tools,
            "thinking": self.thinking,
            "reasoning_effort": self.reasoning_effort,
        }


class TemplateFailedError(Exception):
    """The template failed without refusing the conversation."""


def patch() -> None:
    """Changes mlx_vlm in place. Raises FatalError when it is another mlx_vlm than expected."""
    if apply_chat_template is None or infer_tool_parser is None:
        raise unsupported_version("openai.apply_chat_template is missing")
    openai.apply_chat_template = render
    openai._infer_tool_parser_from_processor = infer_parser


def infer_parser(processor: Any, override: str | None = None) -> str | None:
    if override is None and facts_of(processor).tools == "described":
        return DESCRIBED_PARSER
    return infer_tool_parser(processor, override=override)


# -- rendering


def render(
    processor: Any,
    config: Any,
    messages: list[Message],
    *,
    tools: list[Any] | None = None,
    continue_final_message: bool = False,
    **kwargs: Any,
) -> Any:
    """The prompt. Raises an HTTPException that names its reason (`refusal`)."""
    facts = facts_of(processor)
    if not facts.calls:
        messages = with_calls_as_text(messages)
    if tools and facts.tools != "native":
        messages, tools = with_offer(messages, tools), None
    if facts.thinking_name is not None:
        kwargs.setdefault(facts.thinking_name, bool(kwargs.get("enable_thinking")))
    finish: Callable[[Any], Any] = lambda prompt: prompt  # noqa: E731
    if continue_final_message:
        messages, finish = marked(messages)
        kwargs["add_generation_prompt"] = False
    try:
        prompt = render_fitting(processor, config, messages, tools=tools, **kwargs)
    except TemplateError as error:
        raise refusal("template_refused", str(error)) from error
    except TemplateFailedError as error:
        raise refusal("template_failed", str(error), status=500) from error
    return finish(prompt)


def render_fitting(processor: Any, config: Any, messages: list[Message], **kwargs: Any) -> Any:
    """Raises the template's refusal of the conversation as it came, if it refuses every form."""
    try:
        return render_once(processor, config, messages, **kwargs)
    except TemplateError as refused:
        for other in fitting(messages):
            with contextlib.suppress(TemplateError, TemplateFailedError, HTTPException):
                return render_once(processor, config, other, **kwargs)
        raise refused


def render_once(processor: Any, config: Any, messages: list[Message], **kwargs: Any) -> Any:
    """Raises a TemplateError only if the template itself has raised it."""
    try:
        with deadline(RENDER_SECONDS):
            prompt = apply_chat_template(processor, config, messages, **kwargs)
    except (HTTPException, TemplateFailedError):
        raise
    except Exception as error:
        # Its subclasses are faults of the template, such as an undefined value.
        if type(error) is TemplateError:
            raise
        if "multi-image" in str(error):
            raise refusal("too_many_images", str(error)) from error
        raise TemplateFailedError(f"{type(error).__name__}: {error}") from error
    if isinstance(prompt, str):
        limit = MAX_GROWTH + 20 * len(str(messages)) + 2 * len(str(kwargs.get("tools")))
        if len(prompt) > limit:
            raise TemplateFailedError(f"it wrote {len(prompt)} characters")
    return prompt


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raises TemplateFailedError in its block after so long. mlx_vlm renders on the main thread,
    where a signal can interrupt an endless loop; on other threads there is no deadline."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    over = False

    def expire(*_: Any) -> None:
        if not over:
            raise TemplateFailedError(f"it took longer than {seconds:g} s")

    former = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def refusal(code: str, message: str, status: int = 400) -> HTTPException:
    """An error that the gateway converts by its code (`server/generation/errors.ts`)."""
    return HTTPException(status_code=status, detail={"code": code, "message": message})


def marked(messages: list[Message]) -> tuple[list[Message], Callable[[Any], str]]:
    """Marks the end of the last message, and cuts the prompt there: what a template writes after a
    message ends the turn, and differs from template to template."""
    mark = f"CONTINUE-{secrets.token_hex(8)}"
    last = messages[-1] if messages else {}
    text = last.get("content") or ""
    if last.get("role") != "assistant" or not isinstance(text, str):
        raise refusal("cannot_continue", "the last message is not a text of the assistant")

    def cut(prompt: Any) -> str:
        at = prompt.rfind(mark) if isinstance(prompt, str) else -1
        if at < 0 or not prompt[:at].rstrip().endswith(text.strip()[-200:]):
            raise refusal("cannot_continue", "the model's chat template does not show its end")
        return prompt[:at]

    return [*messages[:-1], {**last, "content": text + mark}], cut


# -- what it can show


WORD = "sightglass_probe"
USER: Message = {"role": "user", "content": "Hello"}
TOOL = {
    "type": "function",
    "function": {
        "name": WORD,
        "description": "Says hello.",
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
    },
}
CALL: list[Message] = [
    USER,
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": "abcdefghi", "type": "function", "function": {"name": WORD, "arguments": {}}}
        ],
    },
    {"role": "tool", "tool_call_id": "abcdefghi", "name": "hello", "content": "result_" + WORD},
]


@lru_cache(maxsize=1)
def facts_of(processor: Any) -> TemplateFacts:
    """Found by rendering: a name in a template may be in a comment, or in a branch that is never
    taken."""
    config = runtime.model_cache.get("config")

    def prompt(messages: list[Message], **kwargs: Any) -> str | None:
        kwargs.setdefault("enable_thinking", False)
        try:
            return str(render_fitting(processor, config, messages, **kwargs))
        except (TemplateError, TemplateFailedError, HTTPException):
            return None

    def differs(**kwargs: tuple[Any, Any]) -> bool:
        first, second = (
            prompt([USER], **{name: values[at] for name, values in kwargs.items()}) for at in (0, 1)
        )
        return first is not None and first != second

    hello = prompt([USER])
    if hello is None:
        return TemplateFacts()
    parsed = infer_tool_parser(processor) is not None
    tools = "none"
    if parsed and WORD in (prompt([USER], tools=[TOOL]) or ""):
        tools = "native"
    elif WORD in (prompt(with_offer([USER], [TOOL])) or ""):
        tools = "described"
    shown = prompt(CALL) or ""
    calls = "result_" + WORD in shown and WORD in shown.replace("result_" + WORD, "")
    name = None
    # The arguments that mlx_vlm passes for each (`to_template_kwargs` of its `generation.py`).
    if differs(enable_thinking=(True, False), reasoning=(True, False)):
        thinking = "optional"
    elif differs(thinking=(True, False)):
        thinking, name = "optional", "thinking"
    else:
        thinking = "always" if prompt_has_open_thinking(hello) else "none"
    levels = ("low", "high")
    on = (True, True)
    effort = differs(reasoning_effort=levels, reasoning_strength=levels, enable_thinking=on)
    if effort and thinking == "none":
        thinking = "always"
    return TemplateFacts(tools, thinking, effort, calls and tools == "native", name)

"""Tool calls and reasoning in every format that mlx_vlm 0.7.10 has a parser for, valid and invalid.
`python call_formats.py` lists cases as JSON, for tests of the whole service.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Arguments = dict[str, Any]
MINIMAX = "]<]minimax[>["


@dataclass(frozen=True)
class CallFormat:
    """A format of calls. `parser` is mlx_vlm's name for it, `body` the text between the
    markers, `unclosed` the end of the body without which it still has one reading."""

    parser: str
    start: str
    end: str
    body: Callable[[str, Arguments], str]
    unclosed: str = ""

    def call(self, name: str, arguments: Arguments) -> str:
        return self.start + self.body(name, arguments) + self.end


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _xml(call: str, value: str, end: str) -> Callable[[str, Arguments], str]:
    def body(name: str, arguments: Arguments) -> str:
        values = (value.format(key, _plain(given)) for key, given in arguments.items())
        return call.format(name) + "".join(values) + end

    return body


def _gemma(value: Any) -> str:
    return f'<|"|>{value}<|"|>' if isinstance(value, str) else json.dumps(value)


def _json(name_key: str, arguments_key: str, is_list: bool = False) -> Callable:
    def body(name: str, arguments: Arguments) -> str:
        text = json.dumps({name_key: name, arguments_key: arguments}, ensure_ascii=False)
        return f"[{text}]" if is_list else text

    return body


FORMATS = {
    "json_tools": CallFormat(
        "json_tools",
        "<tool_call>\n",
        "\n</tool_call>",
        _json("name", "arguments"),
        "}",
    ),
    "cohere2_moe": CallFormat(
        "cohere2_moe",
        "<|START_ACTION|>",
        "<|END_ACTION|>",
        _json("tool_name", "parameters", is_list=True),
        "}]",
    ),
    "mistral": CallFormat(
        "mistral",
        "[TOOL_CALLS]",
        "",
        lambda name, arguments: f"{name}[ARGS]{json.dumps(arguments, ensure_ascii=False)}",
        "}",
    ),
    "mistral_list": CallFormat(
        "mistral", "[TOOL_CALLS]", "", _json("name", "arguments", is_list=True), "}]"
    ),
    "harmony": CallFormat(
        "harmony",
        "<|channel|>commentary to=",
        "<|call|>",
        lambda name, arguments: (
            f"functions.{name} <|constrain|>json<|message|>"
            + json.dumps(arguments, ensure_ascii=False)
        ),
        "}",
    ),
    "kimi_k2": CallFormat(
        "kimi_k2",
        "<|tool_calls_section_begin|>",
        "<|tool_calls_section_end|>",
        lambda name, arguments: (
            f"<|tool_call_begin|>functions.{name}:0<|tool_call_argument_begin|>"
            + json.dumps(arguments, ensure_ascii=False)
            + "<|tool_call_end|>"
        ),
        "<|tool_call_end|>",
    ),
    "qwen3_coder": CallFormat(
        "qwen3_coder",
        "<tool_call>\n",
        "\n</tool_call>",
        _xml("<function={}>\n", "<parameter={}>\n{}\n</parameter>\n", "</function>"),
        "</function>",
    ),
    "minimax_m2": CallFormat(
        "minimax_m2",
        "<minimax:tool_call>\n",
        "\n</minimax:tool_call>",
        _xml('<invoke name="{}">\n', '<parameter name="{}">{}</parameter>\n', "</invoke>"),
        "</invoke>",
    ),
    "minimax_m3": CallFormat(
        "minimax_m3",
        f"{MINIMAX}<tool_call>\n",
        f"\n{MINIMAX}</tool_call>",
        _xml(
            MINIMAX + '<invoke name="{}">\n',
            MINIMAX + "<{0}>{1}" + MINIMAX + "</{0}>\n",
            f"{MINIMAX}</invoke>",
        ),
        f"{MINIMAX}</invoke>",
    ),
    "atem": CallFormat(
        "atem",
        "to=self<|message|>",
        "</atem:function_calls>",
        _xml(
            '<atem:function_calls>\n<atem:invoke name="{}">\n',
            '<atem:parameter name="{}">{}</atem:parameter>\n',
            "</atem:invoke>\n",
        ),
        "</atem:invoke>\n",
    ),
    "minicpm5": CallFormat(
        "minicpm5",
        "<function",
        "</function>",
        _xml(' name="{}">', '<param name="{}">{}</param>', ""),
    ),
    "glm47": CallFormat(
        "glm47",
        "<tool_call>",
        "</tool_call>",
        _xml("{}\n", "<arg_key>{}</arg_key>\n<arg_value>{}</arg_value>\n", ""),
    ),
    "longcat": CallFormat(
        "longcat",
        "<longcat_tool_call>",
        "</longcat_tool_call>",
        _xml(
            "{}\n",
            "<longcat_arg_key>{}</longcat_arg_key>\n<longcat_arg_value>{}</longcat_arg_value>\n",
            "",
        ),
    ),
    "gemma4": CallFormat(
        "gemma4",
        "<|tool_call>",
        "<tool_call|>",
        lambda name, arguments: (
            f"call:{name}{{"
            + ",".join(f"{key}:{_gemma(value)}" for key, value in arguments.items())
            + "}"
        ),
        "}",
    ),
    "pythonic": CallFormat(
        "pythonic",
        "<|tool_call_start|>",
        "<|tool_call_end|>",
        lambda name, arguments: (
            f"[{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})]"
        ),
        ")]",
    ),
}

THOUGHTS = {
    "<think>": "</think>",
    "<|channel>thought": "<channel|>",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<mm:think>": "</mm:think>",
    "[THINK]": "[/THINK]",
    "<longcat_think>": "</longcat_think>",
    "<|channel|>analysis<|message|>": "<|end|>",
}
"""Start and end markers of reasoning."""


ROME = {"city": "Rome", "days": 3}
WEATHER = [("get_weather", ROME)]
NOW = [("now", {})]


def unclosed(form: CallFormat) -> str:
    return form.start + form.body("get_weather", ROME).removesuffix(form.unclosed) + form.end


MISTAKES: dict[str, tuple[Callable[[CallFormat], str], list]] = {
    "no end marker": (lambda form: form.start + form.body("get_weather", ROME), WEATHER),
    "no closing bracket or tag": (unclosed, WEATHER),
    "no arguments": (lambda form: form.call("now", {}), NOW),
    "a comma too many": (
        lambda form: (
            form.call("get_weather", ROME)
            .replace('"days": 3', '"days": 3,')
            .replace("days:3", "days:3,")
        ),
        WEATHER,
    ),
    "a word for a number": (
        lambda form: form.call("get_weather", {"city": "Rome", "days": "three"}),
        [("get_weather", {"city": "Rome", "days": "three"})],
    ),
    "the end marker in a string": (
        lambda form: form.call("get_weather", {"city": f"a {form.end.strip()} b", "days": 3}),
        None,
    ),
    "a thought's markers in a string": (
        lambda form: form.call("get_weather", {"city": "<think>a</think>b", "days": 3}),
        [("get_weather", {"city": "<think>a</think>b", "days": 3})],
    ),
    "another key": (
        lambda form: (
            form.call("get_weather", ROME)
            .replace('"arguments"', '"args"')
            .replace('"parameters"', '"arguments"')
        ),
        WEATHER,
    ),
    "no JSON": (lambda form: f"{form.start}I don't know{{{form.end}", []),
    "a string that does not end": (
        lambda form: form.call("get_weather", ROME).partition("Rome")[0] + "Ro",
        [],
    ),
}


def cases() -> list[dict]:
    """What a model says in each format, and the text and calls of the answer, None if a format
    decides. `isCut`: to be cut anywhere, and without its end marker."""
    found = []
    for name, form in FORMATS.items():
        call = form.call("get_weather", ROME)
        plain = {"parser": form.parser, "opened": "", "reasoning": ""}
        whole = {"text": f"Look.\n{call}\n{form.call('now', {})}", "content": "Look."}
        found.append({**plain, **whole, "name": f"{name}: two calls", "calls": WEATHER + NOW})
        thought = f"I could {call} but no."
        found.append(
            {
                **plain,
                "name": f"{name}: a call in a finished thought",
                "text": f"{thought}</think>\n\nNo.",
                "opened": "<think>\n",
                "reasoning": thought,
                "content": "No.",
                "calls": [],
            }
        )
        found.append(
            {
                **plain,
                "name": f"{name}: a call in a thought that never ends",
                "text": f"So: {call}",
                "opened": "<think>\n",
                "reasoning": "So: ",
                "content": "",
                "calls": WEATHER,
            }
        )
        for mistake, (make, calls) in MISTAKES.items():
            text = f"Hm. {make(form)}"
            content = None if calls is None else "Hm." if calls else text
            case = {"name": f"{name}: {mistake}", "text": text, "content": content, "calls": calls}
            found.append({**plain, **case})
        text = f"Look.\n{form.start}{form.body('get_weather', ROME)}"
        cut = {"name": f"{name}: cut", "text": text, "content": "Look."}
        found.append({**plain, **cut, "calls": WEATHER, "isCut": True})
    return found


if __name__ == "__main__":
    print(json.dumps(cases()))

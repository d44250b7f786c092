"""Decides whether the text of a tool call is complete, and repairs it where only one reading is
possible. The parsing itself is left to mlx_vlm's parsers (`mlx_vlm/tools/parsers`).

Those parsers expect a complete and correct call. Given anything else they raise, or return a part
of it without saying so. Here a text is checked and put right before they see it, and what they
return is checked too. A text that cannot be read as a call raises ValueError.
"""

import ast
import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlx_vlm.tools import streaming
from mlx_vlm.tools.parsers import gemma4, minimax_m2, qwen3_coder

from launcher.patching import require_names
from launcher.tagged_calls import TAGS, InsideValueError, Reading, TagReader, before_doubt

PATCHED = {
    streaming: ("_json_calls", "_xml_call", "_gemma_call", "_without_marker_tail"),
    qwen3_coder: ("_convert_param_value", "_get_arguments_config", "_string_types"),
    minimax_m2: ("_convert_param_value_with_types",),
    gemma4: (
        "_tool_call_regex",
        "_ESCAPE",
        "_split_top_level",
        "_find_top_level_colon",
        "_find_matching_brace",
    ),
}

QUOTE = '<|"|>'
"""Gemma's quotation mark."""
MINIMAX = "]<]minimax[>["
NAME = re.compile(r"[\w.:/-]{1,128}")
HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")
"""Half of a surrogate pair. JSON can name one, UTF-8 cannot write it."""


def patch() -> None:
    """Patches mlx_vlm. Raises FatalError if its version is not supported."""
    require_names(PATCHED)
    # It ends a call at the first brace of a string. mlx_vlm's fallback knows about strings.
    gemma4._tool_call_regex = re.compile(r"(?!)")
    qwen3_coder._convert_param_value = or_as_written(qwen3_coder._convert_param_value)
    convert = or_as_written(minimax_m2._convert_param_value_with_types)

    def convert_nullable(value: str, types: list[str]) -> Any:
        # mlx_vlm takes every value of a type that allows null for null.
        return convert(value, [kind for kind in types if kind.lower() != "null"] or ["string"])

    minimax_m2._convert_param_value_with_types = convert_nullable


def or_as_written(convert: Callable) -> Callable:
    """A value that is not of its parameter's type is passed on as the model wrote it."""

    def convert_or_keep(value: str, *args: Any) -> Any:
        try:
            converted = convert(value, *args)
            json.dumps(converted, allow_nan=False)
            return converted
        except Exception:
            return value

    return convert_or_keep


@dataclass(frozen=True)
class WrittenCall:
    """A complete call; `arguments` is the JSON text of an object."""

    name: str
    arguments: str


@dataclass(frozen=True)
class Read:
    """The calls in a text, and the text after them that belongs to none."""

    calls: list[WrittenCall]
    rest: str = ""


class CallReader:
    """Reads calls of one format, between its start and its end marker, for a request's tools."""

    def __init__(self, module: Any, tools: Any) -> None:
        self.module = module
        self.tools = [_plain(tool) for tool in tools or []]
        self.format = module.__name__.rsplit(".", 1)[-1]
        self._prepare = PREPARE[self.format]

    def read(self, body: str, *, repair: bool = False, closed: bool = True) -> Read:
        """The calls of a body. `closed` tells whether its end marker was written. Raises ValueError
        if it is no complete call, InsideValueError if it ends inside a value."""
        try:
            texts, expected, rest = self._prepare(body, Asked(self, repair, closed))
            calls = [call for text in texts for call in self._parse(text)]
        except ValueError:
            raise
        except Exception as error:  # a value nested too deep, or none that JSON has
            raise ValueError(str(error)) from error
        if not calls or (expected is not None and expected != _shape(calls)):
            raise ValueError("The parser left out a part of the call.")
        return Read(calls, rest)

    def _parse(self, text: str) -> list[WrittenCall]:
        parsed = self.module.parse_tool_call(text, self.tools)
        return [_checked(call) for call in (parsed if isinstance(parsed, list) else [parsed])]

    def begun(self, body: str) -> list[tuple[str, str]]:
        """Names and received arguments of an unfinished body, as far as they are certain. The last
        arguments never have the bracket that would complete them."""
        try:
            found = list(BEGUN[self.format](body, self)) if self.format in BEGUN else []
        except Exception:
            return []
        return [(name, text) for name, text in found if name and text]

    def certain_part(self, body: str) -> str:
        """The part of a body that `begun` told of."""
        if self.format in JSON_FORMATS:
            return body.rstrip(BRACKETS)
        return before_doubt(body, self.format) if self.format in TAGS else body

    def may_begin(self, body: str) -> bool:
        """Whether the text after a start marker can still become a call."""
        if self.format != "minicpm5":
            return True
        return (
            re.match(r"\s+name", body) is not None or re.fullmatch(r"\s*n?a?m?", body) is not None
        )

    def raw_arguments(self, body: str) -> list[str]:
        """The arguments of each call of a complete JSON body, exactly as written."""
        return [text for _, text in self.begun_whole(body)]

    def begun_whole(self, body: str) -> list[tuple[str, str]]:
        try:
            return list(_json_begun(body, self, whole=True)) if self.format in JSON_FORMATS else []
        except Exception:
            return []

    def parameters(self, name: str) -> dict:
        """The schema of a function's parameters; empty if it has none, or is not offered."""
        functions = [tool.get("function") or {} for tool in self.tools]
        found = [each.get("parameters") for each in functions if each.get("name") == name]
        return found[0] if found and isinstance(found[0], dict) else {}

    @property
    def names(self) -> set[str]:
        return {(tool.get("function") or {}).get("name") for tool in self.tools}


@dataclass(frozen=True)
class Asked:
    """How a body is to be read."""

    reader: CallReader
    repair: bool
    closed: bool


Prepared = tuple[list[str], list[tuple[str, set[str]]] | None, str]
"""Texts for mlx_vlm's parser, the calls and argument names that it has to find (None if its own
checks do), and what follows the calls."""


def _plain(tool: Any) -> dict:
    return tool.model_dump(exclude_none=True) if hasattr(tool, "model_dump") else tool


def _checked(call: Any) -> WrittenCall:
    name, arguments = call["name"], call["arguments"]
    if not isinstance(name, str) or not NAME.fullmatch(name.strip()):
        raise ValueError("The call has no name.")
    text = arguments if isinstance(arguments, str) else _json(arguments)
    if not isinstance(_strict_json(text), dict):
        raise ValueError("The arguments are not an object.")
    return WrittenCall(name.strip(), text)


def _shape(calls: list[WrittenCall]) -> list[tuple[str, set[str]]]:
    return [(call.name, set(json.loads(call.arguments))) for call in calls]


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return HALF_CHARACTER.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def _strict_json(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON.")

    return json.loads(text, parse_constant=refuse)


# -- JSON, and repairing it


@dataclass(frozen=True)
class JsonText:
    """What a scan of JSON, or of a Python literal, found."""

    end: int
    """After the value, or -1 if it does not end."""
    open: str
    """The brackets that would close it."""
    in_string: bool
    fixed: str
    """The text up to `end`, without commas before brackets."""


MAX_DEPTH = 100
"""mlx_vlm's parser of Gemma's calls reads the rest of a call anew for each level."""
CLOSING = {"{": "}", "[": "]", "(": ")"}


def scan(text: str, quotes: str = '"') -> JsonText:
    """Finds where the first bracketed value of a text ends."""
    stack: list[str] = []
    fixed: list[str] = []
    quote, escaped = "", False
    for place, character in enumerate(text):
        if quote:
            if escaped or character == "\\":
                escaped = not escaped
            elif character == quote:
                quote = ""
        elif character in quotes:
            quote = character
        elif character in CLOSING:
            stack.append(CLOSING[character])
            if len(stack) > MAX_DEPTH:
                raise ValueError("It is nested too deep.")
        elif character in "}])":
            _drop_comma(fixed)
            if not stack or stack.pop() != character:
                raise ValueError("The brackets do not match.")
            if not stack:
                fixed.append(character)
                return JsonText(place + 1, "", False, "".join(fixed))
        fixed.append(character)
    if not quote:
        _drop_comma(fixed)
    return JsonText(-1, "".join(reversed(stack)), bool(quote), "".join(fixed))


def _drop_comma(characters: list[str]) -> None:
    place = len(characters)
    while place and characters[place - 1].isspace():
        place -= 1
    if place and characters[place - 1] == ",":
        del characters[place - 1]


FENCE = re.compile(r"\s*```(?:json)?\s*(.*?)\s*```\s*", re.DOTALL)


def _load(text: str, asked: Asked) -> tuple[Any, str]:
    """A JSON value and the text after it. Repairs what has one reading: brackets and commas that
    are missing or too many, raw line breaks in strings, Python's quotes and constants."""
    stripped = text.strip()
    try:
        return _strict_json(stripped), ""
    except ValueError:
        pass
    if asked.repair and (fenced := FENCE.fullmatch(stripped)):
        stripped = fenced[1]
    found = scan(stripped, "\"'" if asked.repair else '"')
    if found.in_string:
        raise InsideValueError("The text ends inside a string.")
    if found.end >= 0:
        try:
            return _strict_json(stripped[: found.end]), stripped[found.end :]
        except ValueError:
            pass
    if not asked.repair:
        raise ValueError("It is not JSON.")
    rest = stripped[found.end :] if found.end >= 0 else ""
    fixed = found.fixed + found.open
    for read in (_lenient_json, ast.literal_eval):
        try:
            value = read(fixed)
            _json(value)
            return value, rest
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    raise ValueError("It is not JSON.")


def _lenient_json(text: str) -> Any:
    return json.loads(text, strict=False)


def _only_brackets(rest: str) -> bool:
    """Brackets too many after a complete value change nothing."""
    return re.fullmatch(r"[\s}\])]*", rest) is not None


NAME_KEYS = ("name", "tool_name", "function_name")
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "tool_input")
OTHER_KEYS = ("type", "id", "index", "tool_call_id", "call_id", "function")
"""What else may stand beside them."""


def _call_of(value: Any) -> tuple[str, Any]:
    """Name and arguments of a call as JSON, whichever of the usual keys hold them."""
    if not isinstance(value, dict):
        raise ValueError("It is not an object.")
    inner = value.get("function")
    if isinstance(inner, dict):
        return _call_of(inner)
    names = [value[key] for key in NAME_KEYS if key in value]
    if not names and isinstance(inner, str):
        names = [inner]
    given = [value[key] for key in ARGUMENT_KEYS if key in value]
    if len(names) != 1 or len(given) > 1:
        raise ValueError("It has no name, or arguments twice.")
    if not given and not value.keys() <= {*NAME_KEYS, *OTHER_KEYS}:
        raise ValueError("Its arguments have no key of their own.")
    arguments = given[0] if given else {}
    if isinstance(arguments, str) and arguments.strip():
        arguments = _strict_json(arguments)
    if arguments in (None, ""):
        arguments = {}
    if not isinstance(arguments, dict):
        raise ValueError("The arguments are not an object.")
    return names[0], arguments


def _prepare_json(body: str, asked: Asked) -> Prepared:
    values: list[Any] = []
    rest = body
    while True:
        value, rest = _load(rest, asked)
        values += value if isinstance(value, list) else [value]
        # Several calls between one pair of markers, as lines or with commas.
        further = re.match(r"\s*[,;]?\s*(?=\{)", rest)
        if not asked.repair or further is None:
            break
        rest = rest[further.end() :]
    if not _only_brackets(rest) or (rest.strip() and not asked.repair):
        raise ValueError("There is text after the call.")
    return [_as_json_calls(values, asked.reader)], None, ""


def _as_json_calls(value: Any, reader: CallReader) -> str:
    name_key, arguments_key = "name", "arguments"
    if reader.format == "cohere2_moe":
        name_key, arguments_key = "tool_name", "parameters"
    calls = [_call_of(call) for call in (value if isinstance(value, list) else [value])]
    text = _json([{name_key: name, arguments_key: given} for name, given in calls])
    # Cohere's parser changes a backslash before a bar.
    return text.replace("|", "\\u007c") if reader.format == "cohere2_moe" else text


MISTRAL_HEAD = re.compile(r"\s*([\w.:/-]+)(?:\[CALL_ID\][\w-]+)?\s*(?:\[ARGS\])?\s*(?=\{|$)")


def _prepare_mistral(body: str, asked: Asked) -> Prepared:
    head = MISTRAL_HEAD.match(body)
    if head is None:
        value, rest = _load(body, asked)
        return [_as_json_calls(value, asked.reader)], None, _rest(rest, asked)
    if head.end() == len(body):
        if not (asked.repair and "[ARGS]" in body):
            raise ValueError("It has no arguments.")
        arguments, rest = {}, ""
    else:
        arguments, rest = _load(body[head.end() :], asked)
    call = {"name": head[1], "arguments": arguments}
    return [_as_json_calls(call, asked.reader)], None, _rest(rest, asked)


def _rest(rest: str, asked: Asked) -> str:
    return "" if asked.repair and _only_brackets(rest) else rest


HARMONY_HEAD = re.compile(r"\s*(?:functions\.)?[\w.:/-]+\s*(?:(?:<\|constrain\|>)?\s*\w+)?\s*")


def _prepare_harmony(body: str, asked: Asked) -> Prepared:
    header, separator, payload = body.partition("<|message|>")
    if not HARMONY_HEAD.fullmatch(header):
        raise ValueError("It is not a call.")
    if not separator and not asked.closed:
        raise ValueError("It has no arguments.")
    if payload.strip():
        value, rest = _load(payload, asked)
        if not isinstance(value, dict) or not _only_brackets(rest):
            raise ValueError("The arguments are not an object.")
        payload = _json(value)
    return [f"{header}<|message|>{payload}"], None, ""


KIMI_CALL = re.compile(
    r"\s*(?:<\|tool_call_begin\|>)?\s*(?:functions\.)?([\w./-]+)(?::(\d+))?\s*"
    r"<\|tool_call_argument_begin\|>"
)
KIMI_END = "<|tool_call_end|>"


def _prepare_kimi(body: str, asked: Asked) -> Prepared:
    texts, expected, place = [], [], 0
    while body[place:].strip():
        head = KIMI_CALL.match(body, place)
        if head is None:
            raise ValueError("It is not a call.")
        found = scan(body[head.end() :])
        if found.in_string:
            raise InsideValueError("The text ends inside a string.")
        end = body.find(KIMI_END, head.end() + max(found.end, 0))
        if end < 0 and not asked.repair:
            raise ValueError("The call does not end.")
        written = body[head.end() : end if end >= 0 else len(body)]
        value, rest = _load(written, asked) if written.strip() else ({}, "")
        if not isinstance(value, dict) or not _only_brackets(rest):
            raise ValueError("The arguments are not an object.")
        texts.append(
            f"functions.{head[1]}:{head[2] or 0}<|tool_call_argument_begin|>{_json(value)}"
        )
        expected.append((head[1], set(value)))
        place = end + len(KIMI_END) if end >= 0 else len(body)
    return texts, expected, ""


# -- formats of tags


def _prepare_tags(body: str, asked: Asked) -> Prepared:
    """Each call as a text of its own, with the names of its arguments."""
    reader = TagReader(body, asked)
    calls = reader.read(reader.calls())
    return [call.text for call in calls], [(call.name, set(call.values)) for call in calls], ""


def _prepare_atem(body: str, asked: Asked) -> Prepared:
    # What precedes is the model's note to itself.
    _, start, calls = body.partition("<atem:function_calls>")
    return _prepare_tags(calls if start else body, asked)


def _prepare_minicpm(body: str, asked: Asked) -> Prepared:
    ended = asked.closed and not body.rstrip().endswith("</function>")
    whole = f"<function{body}" + ("</function>" if ended else "")
    texts, expected, rest = _prepare_tags(whole, asked)
    tags = TAGS["minicpm5"]

    def escaped(text: str) -> str:
        """The text with its values as XML wants them, which models tend to forget."""
        parts, place = [], 0
        for value in tags.value.finditer(text):
            if value.start() < place:
                continue
            end = text.find(tags.value_end, value.end())
            written = text[value.end() : end]
            if "<![CDATA[" not in written:
                written = html.escape(html.unescape(written), quote=False)
            parts += [text[place : value.end()], written]
            place = end
        return "".join([*parts, text[place:]])

    return [escaped(text) for text in texts], expected, rest


def _prepare_pairs(body: str, asked: Asked) -> Prepared:
    if body.lstrip().startswith(("{", "[")):
        found, rest = _load(body, asked)
        if not _only_brackets(rest):
            raise ValueError("There is text after the call.")
        calls = [_call_of(call) for call in (found if isinstance(found, list) else [found])]
        texts = [_json({"name": name, "arguments": given}) for name, given in calls]
        return texts, [(name, set(given)) for name, given in calls], ""
    at = body.find(TAGS[asked.reader.format].markup[0])
    name = (body if at < 0 else body[:at]).strip()
    if not NAME.fullmatch(name):
        return _prepare_plain(body, asked)
    if at < 0:
        if not asked.closed and name not in asked.reader.names:
            raise ValueError("The call does not end.")
        return [_json({"name": name, "arguments": {}})], [(name, set())], ""
    reader = TagReader(body, asked)
    found = (Reading((call,), fixed) for call, _, fixed in reader.values(name, name, at, {}))
    [call] = reader.read(found)
    return [call.text], [(name, set(call.values))], ""


def _prepare_plain(body: str, asked: Asked) -> Prepared:
    """GLM's other spellings, `name key=value` and `name {…}`, for functions that there are."""
    name = body.split(maxsplit=1)[0] if body.split() else ""
    if not asked.repair or asked.reader.format != "glm47" or name not in asked.reader.names:
        raise ValueError("It is not a call.")
    parsed = asked.reader.module.parse_tool_call(body, asked.reader.tools)
    if parsed["name"] != name or set(parsed["arguments"]) == {"raw"}:
        raise ValueError("It is not a call.")
    return [_json({"name": name, "arguments": parsed["arguments"]})], None, ""


def _has_text_between(text: str) -> bool:
    """Whether there is text outside of MiniMax M3's arguments, after which its parser stops."""
    depth = 0
    for part in text.split(MINIMAX)[1:]:
        tag, _, after = part.partition(">")
        depth += -1 if tag.startswith("</") else 1
        if depth < 2 and after.strip():
            return True
    return False


MINIMAX_CALL = re.compile(re.escape(MINIMAX) + r"<invoke\b")


def _prepare_minimax_m3(body: str, asked: Asked) -> Prepared:
    text = body.strip()
    end = f"{MINIMAX}</invoke>"
    begun = len(MINIMAX_CALL.findall(text))
    if not MINIMAX_CALL.match(text) or not begun:
        raise ValueError("It is not a call.")
    if text.count(end) < begun:
        opened, closed = text.count(f"{MINIMAX}<"), text.count(f"{MINIMAX}</")
        if opened - closed - closed != 1:  # more than the call itself is open
            raise InsideValueError("The text ends inside a value.")
        if not asked.repair:
            raise ValueError("The call does not end.")
        text += end
    if not text.endswith(end) or _has_text_between(text):
        raise ValueError("There is text after the call, or between its arguments.")
    names = re.findall(re.escape(MINIMAX) + r"<invoke\b[^>]*?name\s*=\s*[\"']?([^\"'\s>]+)", text)
    if len(names) != begun:
        raise ValueError("The call has no name.")
    # Each call alone, so that one which the parser leaves out is noticed.
    return [part + end for part in text.split(end) if part.strip()], None, ""


# -- Gemma and Python


def _prepare_gemma(body: str, asked: Asked) -> Prepared:
    text = unquoted(body).strip()
    if text.count(QUOTE) % 2:
        raise InsideValueError("The text ends inside a string.")
    if asked.repair and re.fullmatch(r"(?:call)?:?[\w.:-]+", text) and asked.closed:
        text += "{}"
    head = re.match(r"(?:call:|:)?([\w.:-]+)\{", text)
    if head is None:
        raise ValueError("It is not a call.")
    parts = text.split(QUOTE)
    bare = QUOTE.join(part if at % 2 == 0 else "" for at, part in enumerate(parts))
    found = scan(bare[head.end() - 1 :], "")
    rest = bare[head.end() - 1 + found.end :].strip() if found.end >= 0 else ""
    if found.end < 0:
        last = re.search(r"[:,{\[]([^:,{\[]*)$", bare)
        if not asked.repair or not (text.endswith(QUOTE) or _is_literal(last and last[1])):
            raise ValueError("The call does not end.")
        text += found.open
    elif rest:
        if not (asked.repair and _only_brackets(rest)):
            raise ValueError("There is text after the call.")
        text = text[: len(text) - len(rest)].rstrip()
    entries = [e for e in gemma4._split_top_level(text[head.end() : -1]) if e.strip()]
    colons = [gemma4._find_top_level_colon(entry) for entry in entries]
    if any(colon < 0 for colon in colons):
        raise ValueError("An argument has no name.")
    if any(not entry[colon + 1 :].strip() for entry, colon in zip(entries, colons, strict=True)):
        raise ValueError("An argument has no value.")
    _check_gemma_object(text[head.end() : -1])
    keys = {entry[:colon].strip() for entry, colon in zip(entries, colons, strict=True)}
    return [text], [(head[1], keys)], ""


def _check_gemma_object(text: str) -> None:
    """Raises ValueError for an entry of which the parser would leave out or invent a part."""
    for entry in filter(str.strip, gemma4._split_top_level(text)):
        name, colon, value = entry.partition(":")
        if not colon or re.search(r"[{}\[\]<>]", name):
            raise ValueError("An argument has no name.")
        _check_gemma_value(value.strip())


def _check_gemma_value(value: str) -> None:
    if value.startswith(QUOTE):
        is_whole = value.find(QUOTE, len(QUOTE)) == len(value) - len(QUOTE)
    elif value.startswith(("{", "[")):
        is_whole = gemma4._find_matching_brace(value, 0) == len(value) - 1
        if is_whole and value[0] == "{":
            _check_gemma_object(value[1:-1])
        elif is_whole:
            for item in filter(str.strip, gemma4._split_top_level(value[1:-1])):
                _check_gemma_value(item.strip())
    else:
        is_whole = QUOTE not in value and not value.startswith(":")
    if not is_whole:
        raise ValueError("There is text between the arguments.")


def _is_literal(text: str | None) -> bool:
    """Whether a text is a whole value: a number or word of JSON, or a bracket that closes one."""
    return re.fullmatch(r"\s*(-?\d[\d.eE+-]*|true|false|null)?[\s}\]]*", text or "-") is not None


QUOTED_KEY = re.compile(r'([{,]\s*)"([\w.-]+)"(?=\s*:)')
QUOTED_VALUE = re.compile(r'([:\[,]\s*)"((?:[^"\\]|\\.)*)"(?=\s*[,}\]])')


def unquoted(body: str) -> str:
    """Gemma's call with names that are not quoted, and strings in its own quotation marks."""
    parts = body.split(QUOTE)
    for at in range(1, len(parts) - 1, 2):
        before, after = parts[at - 1].rstrip(), parts[at + 1].lstrip()
        if before.endswith(("{", ",")) and after.startswith(":") and NAME.fullmatch(parts[at]):
            parts[at] = f"\0{parts[at]}\0"
    text = QUOTE.join(parts).replace(f"{QUOTE}\0", "").replace(f"\0{QUOTE}", "")
    if '"' not in text.replace(QUOTE, ""):
        return text
    parts = text.split(QUOTE)
    for at in range(0, len(parts), 2):
        named = QUOTED_KEY.sub(r"\1\2", parts[at])
        parts[at] = QUOTED_VALUE.sub(_gemma_string, named)
    return QUOTE.join(parts)


def _gemma_string(found: re.Match) -> str:
    try:
        return f"{found[1]}{QUOTE}{json.loads(found[2].join(chr(34) * 2), strict=False)}{QUOTE}"
    except ValueError:
        return found[0]


CONSTANTS = {"true": True, "false": False, "null": None}


class Constants(ast.NodeTransformer):
    """Makes JSON's constants in a Python expression Python's."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(CONSTANTS[node.id]) if node.id in CONSTANTS else node


PYTHON_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)


def _prepare_pythonic(body: str, asked: Asked) -> Prepared:
    text = body.strip()
    expression = _python(text)
    if expression is None:
        found = scan(text if text.startswith("[") else f"[{text}]", "\"'")
        if found.in_string:
            raise InsideValueError("The text ends inside a string.")
        if not asked.repair:
            raise ValueError("It is not Python.")
        text = PYTHON_STRING.sub(lambda string: string[0].replace("\n", "\\n"), text)
        expression = _python(text)
        if expression is None:
            text = found.fixed + found.open
            expression = _python(text)
        if expression is None:
            return [_with_apostrophes(text, asked)], None, ""
    if asked.repair:
        if isinstance(expression, ast.Call):
            expression = ast.List([expression], ast.Load())
        text = ast.unparse(Constants().visit(expression))
    return [text], None, ""


def _python(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _with_apostrophes(text: str, asked: Asked) -> str:
    """A text that mlx_vlm's parser tolerates: strings with their own quotation marks in them. Those
    within words are apostrophes; any other may be the end of the string."""
    call = asked.reader.module.parse_tool_call(text)
    for value in call["arguments"].values():
        is_several = isinstance(value, tuple)
        if is_several or (isinstance(value, str) and re.search(r"\B['\"]|['\"]\B", value)):
            raise ValueError("A string may end in several places.")
    return text


PREPARE: dict[str, Callable[[str, Asked], Prepared]] = {
    "json_tools": _prepare_json,
    "cohere2_moe": _prepare_json,
    "mistral": _prepare_mistral,
    "harmony": _prepare_harmony,
    "kimi_k2": _prepare_kimi,
    "qwen3_coder": _prepare_tags,
    "minimax_m2": _prepare_tags,
    "atem": _prepare_atem,
    "minicpm5": _prepare_minicpm,
    "glm47": _prepare_pairs,
    "longcat": _prepare_pairs,
    "minimax_m3": _prepare_minimax_m3,
    "gemma4": _prepare_gemma,
    "pythonic": _prepare_pythonic,
}


# -- arguments as they come

BRACKETS = " \r\n\t,}]"
"""What may yet turn out to be too much, or the end."""
JSON_FORMATS = ("json_tools", "cohere2_moe", "mistral", "harmony", "kimi_k2")


def _json_begun(body: str, reader: CallReader, whole: bool = False) -> Any:
    """Names and received arguments, as they are written."""
    if reader.format == "json_tools":
        found = list(streaming._json_calls(body))
    elif reader.format == "cohere2_moe":
        found = list(streaming._json_calls(body, "tool_name", "parameters"))
    elif reader.format == "harmony":
        header, _, payload = body.partition("<|message|>")
        name = re.match(r"\s*(?:functions\.)?([^\s<|]+)", header)
        found = [(name[1], payload.lstrip())] if name else []
    elif reader.format == "mistral":
        head = MISTRAL_HEAD.match(body)
        found = [(head[1], body[head.end() :])] if head else list(streaming._json_calls(body))
    else:
        parts = body.split("<|tool_call_begin|>")
        heads = [(part, KIMI_CALL.match(part)) for part in parts]
        found = [(head[1], part[head.end() :]) for part, head in heads if head]
    for name, text in found:
        if whole:
            yield name, text.strip()
        elif text.startswith("{"):
            yield name, _certain(text)


def _certain(text: str) -> str:
    """The part of unfinished JSON that no repair would change; empty if it cannot be JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos :]
        if error.msg.startswith("Unterminated string"):
            return text
        if error.msg == "Extra data" or not re.fullmatch(r"\s*[-+.\w]*", rest):
            return ""
        text = text[: error.pos]
    return text.rstrip(BRACKETS)


def _xml_begun(body: str, reader: CallReader) -> Any:
    return streaming._xml_call(before_doubt(body, reader.format), reader.tools, reader.module)


def _gemma_begun(body: str, reader: CallReader) -> Any:
    text = unquoted(body)
    scan("{" + "".join(text.split(QUOTE)[::2]).partition("{")[2], "")
    if any('"' in part for part in text.split(QUOTE)[::2]):
        return []
    return streaming._gemma_call(text, reader.module)


def _value_begun(body: str, reader: CallReader) -> Any:
    """For the other formats of tags: what mlx_vlm's parser reads once the open value is closed."""
    body = before_doubt(body, reader.format)
    tags = TAGS[reader.format]
    value_end, end = tags.value_end, tags.call_end
    heads = [(found.end(), found[1].strip()) for found in tags.value.finditer(body)]
    if not heads or body.find(value_end, heads[-1][0]) >= 0:
        return
    start, name = heads[-1]
    written = streaming._without_marker_tail(body[start:], value_end).rstrip()
    if not written or "null".startswith(written.lower()):
        return
    closed = body[:start] + written + value_end + end
    call = _checked(reader.module.parse_tool_call(closed, reader.tools))
    arguments = json.loads(call.arguments)
    kind = qwen3_coder._get_arguments_config(call.name, reader.tools).get(name, {}).get("type")
    if kind == "string" and isinstance(arguments.get(name), str) and [*arguments][-1] == name:
        yield call.name, _json(arguments)[:-2]


BEGUN: dict[str, Callable[[str, CallReader], Any]] = {
    **dict.fromkeys(JSON_FORMATS, _json_begun),
    "qwen3_coder": _xml_begun,
    "gemma4": _gemma_begun,
    "glm47": _value_begun,
    "longcat": _value_begun,
    "minimax_m2": _value_begun,
}

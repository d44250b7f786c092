"""Tool calls in tags: Qwen Coder, MiniMax, Muse, MiniCPM, GLM and LongCat."""

import html
import json
import re
from typing import Any

from mlx_vlm.tools import streaming
from mlx_vlm.tools.parsers import qwen3_coder

from launcher.call_json import InsideValueError, load, only_brackets, to_json
from launcher.json_calls import call_of
from launcher.tagged_calls import TAGS, Reading, TagReader, before_doubt
from launcher.written_calls import NAME, CallFormat, Prepared, ReadOptions, check_call

MINIMAX = "]<]minimax[>["


def prepare_tags(body: str, options: ReadOptions) -> Prepared:
    """Each call as a text of its own, with the names of its arguments."""
    reader = TagReader(body, options)
    calls = reader.read(reader.calls())
    return [call.text for call in calls], [(call.name, set(call.values)) for call in calls], ""


def prepare_atem(body: str, options: ReadOptions) -> Prepared:
    # What precedes is the model's note to itself.
    _, start, calls = body.partition("<atem:function_calls>")
    return prepare_tags(calls if start else body, options)


def prepare_minicpm(body: str, options: ReadOptions) -> Prepared:
    ended = options.closed and not body.rstrip().endswith("</function>")
    whole = f"<function{body}" + ("</function>" if ended else "")
    texts, expected, rest = prepare_tags(whole, options)
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


def prepare_pairs(body: str, options: ReadOptions) -> Prepared:
    if body.lstrip().startswith(("{", "[")):
        found, rest = load(body, repair=options.repair)
        if not only_brackets(rest):
            raise ValueError("There is text after the call.")
        calls = [call_of(call) for call in (found if isinstance(found, list) else [found])]
        texts = [to_json({"name": name, "arguments": given}) for name, given in calls]
        return texts, [(name, set(given)) for name, given in calls], ""
    at = body.find(TAGS[options.call_format.name].markup[0])
    name = (body if at < 0 else body[:at]).strip()
    if not NAME.fullmatch(name):
        return prepare_plain(body, options)
    if at < 0:
        if not options.closed and name not in options.call_format.names:
            raise ValueError("The call does not end.")
        return [to_json({"name": name, "arguments": {}})], [(name, set())], ""
    reader = TagReader(body, options)
    found = (Reading((call,), fixed) for call, _, fixed in reader.values(name, name, at, {}))
    [call] = reader.read(found)
    return [call.text], [(name, set(call.values))], ""


def prepare_plain(body: str, options: ReadOptions) -> Prepared:
    """GLM's other spellings, `name key=value` and `name {…}`, for functions that there are."""
    name = body.split(maxsplit=1)[0] if body.split() else ""
    if (
        not options.repair
        or options.call_format.name != "glm47"
        or name not in options.call_format.names
    ):
        raise ValueError("It is not a call.")
    parsed = options.call_format.module.parse_tool_call(body, options.call_format.tools)
    if parsed["name"] != name or set(parsed["arguments"]) == {"raw"}:
        raise ValueError("It is not a call.")
    return [to_json({"name": name, "arguments": parsed["arguments"]})], None, ""


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


def prepare_minimax_m3(body: str, options: ReadOptions) -> Prepared:
    text = body.strip()
    end = f"{MINIMAX}</invoke>"
    begun = len(MINIMAX_CALL.findall(text))
    if not MINIMAX_CALL.match(text) or not begun:
        raise ValueError("It is not a call.")
    if text.count(end) < begun:
        opened, closed = text.count(f"{MINIMAX}<"), text.count(f"{MINIMAX}</")
        if opened - closed - closed != 1:  # more than the call itself is open
            raise InsideValueError("The text ends inside a value.")
        if not options.repair:
            raise ValueError("The call does not end.")
        text += end
    if not text.endswith(end) or _has_text_between(text):
        raise ValueError("There is text after the call, or between its arguments.")
    names = re.findall(re.escape(MINIMAX) + r"<invoke\b[^>]*?name\s*=\s*[\"']?([^\"'\s>]+)", text)
    if len(names) != begun:
        raise ValueError("The call has no name.")
    # Each call alone, so that one which the parser leaves out is noticed.
    return [part + end for part in text.split(end) if part.strip()], None, ""


def partial_xml_calls(body: str, call_format: CallFormat) -> Any:
    return streaming._xml_call(
        before_doubt(body, call_format.name), call_format.tools, call_format.module
    )


def partial_tag_calls(body: str, call_format: CallFormat) -> Any:
    """For the other formats of tags: what mlx_vlm's parser reads once the open value is closed."""
    body = before_doubt(body, call_format.name)
    tags = TAGS[call_format.name]
    value_end, end = tags.value_end, tags.call_end
    heads = [(found.end(), found[1].strip()) for found in tags.value.finditer(body)]
    if not heads or body.find(value_end, heads[-1][0]) >= 0:
        return
    start, name = heads[-1]
    written = streaming._without_marker_tail(body[start:], value_end).rstrip()
    if not written or "null".startswith(written.lower()):
        return
    closed = body[:start] + written + value_end + end
    call = check_call(call_format.module.parse_tool_call(closed, call_format.tools))
    arguments = json.loads(call.arguments)
    kind = qwen3_coder._get_arguments_config(call.name, call_format.tools).get(name, {}).get("type")
    if kind == "string" and isinstance(arguments.get(name), str) and [*arguments][-1] == name:
        yield call.name, to_json(arguments)[:-2]

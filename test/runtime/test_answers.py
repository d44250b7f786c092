"""How answers are split into text, reasoning and calls: each format, complete, cut off anywhere,
and with ten kinds of mistake. Runs mlx_vlm's chat endpoint, without a model."""

import json
import re

import pytest
from mlx_vlm.server import openai

from call_formats import FORMATS, MISTAKES, NOW, ROME, THOUGHTS, WEATHER, CallFormat
from launcher import chat_endpoint
from launcher.call_sender import HELD_CHARACTERS
from shared.lines import FatalError
from written_answers import TOOLS, Answer, Endpoint

LONG = "Line with 'quotes', commas, [brackets] and {braces}.\n" * 20


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    return Endpoint(monkeypatch)


def tokens(text: str) -> list[str]:
    return re.findall(r"\w+|\s|[^\w\s]", text)


def shown(answer: Answer) -> tuple:
    calls = [(call["name"], call["arguments"]) for call in answer.calls]
    return answer.content, answer.reasoning, calls, answer.finish_reason, answer.error


def read(endpoint: Endpoint, text: str, **options) -> Answer:
    """The answer. It must be the same for all ways to split the text, and never an error."""
    answer = endpoint.answer(tokens(text), **options)
    assert answer.error is None
    for pieces in ([text], list(text)):
        assert shown(endpoint.answer(pieces, **options)) == shown(answer)
    if answer.finish_reason != "length":
        assert answer.finish_reason == ("tool_calls" if answer.complete else "stop")
    assert answer.content.strip() or answer.reasoning or answer.calls, "the answer says nothing"
    return answer


every_format = pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS.keys())


@every_format
def test_a_call_is_separated_from_the_text_around_it(endpoint, form: CallFormat):
    text = f"Let me look.\n{form.call('get_weather', ROME)}\n{form.call('now', {})}"
    answer = read(endpoint, text, parser=form.parser)
    assert (answer.content, answer.complete) == ("Let me look.", WEATHER + NOW)
    assert len({call["id"] for call in answer.calls}) == 2


@every_format
def test_long_arguments_are_streamed(endpoint, form: CallFormat):
    arguments = {"city": LONG.strip()}
    answer = read(endpoint, form.call("get_weather", arguments), parser=form.parser)
    assert answer.complete == [("get_weather", arguments)]
    if form.parser not in ("atem", "minicpm5", "minimax_m3", "pythonic"):
        deltas = [chunk for chunk in answer.chunks if "tool_calls" in json.dumps(chunk)]
        assert len(deltas) > 50


@every_format
@pytest.mark.parametrize(
    "arguments",
    [ROME, pytest.param({"city": LONG, "days": 3}, marks=pytest.mark.long)],
    ids=["short", "long"],
)
def test_a_call_cut_off_by_the_limit_is_never_complete(endpoint, form: CallFormat, arguments):
    pieces = tokens("Let me look.\n" + form.call("get_weather", arguments))
    step = 1 if arguments is ROME else 29
    for size in range(1, len(pieces), step):
        answer = endpoint.answer(pieces[:size], parser=form.parser, finish="length")
        assert (answer.error, answer.finish_reason, answer.complete) == (None, "length", [])
        assert "Let me look."[: len("".join(pieces[:size]))] in answer.content
        seen = answer.content + "".join(call["arguments"] for call in answer.calls)
        if "Rome" in "".join(pieces[:size]):
            assert "Rome" in seen


@every_format
def test_a_call_that_stops_early_is_a_call_or_text(endpoint, form: CallFormat):
    pieces = tokens(form.call("get_weather", ROME))
    for size in range(1, len(pieces)):
        text = "".join(pieces[:size])
        answer = endpoint.answer(pieces[:size], parser=form.parser)
        assert answer.error is None
        if not answer.complete:
            assert answer.calls == []
            assert answer.content == text
        else:
            # It may also be complete without its last argument, if the format cannot show it.
            [(name, given)] = answer.complete
            assert name == "get_weather"
            assert given.items() <= ROME.items()


@every_format
@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_invalid_call_is_repaired_or_shown_as_text(endpoint, form: CallFormat, mistake: str):
    make, expected = MISTAKES[mistake]
    text = make(form)
    answer = read(endpoint, f"Hm. {text}", parser=form.parser)
    if expected is None:  # in some formats it looks like the end of the call
        wanted = f"a {form.end.strip()} b"
        expected = [("get_weather", {"city": wanted, "days": 3})] if answer.complete else []
    assert answer.complete == expected
    if not expected:
        assert (answer.calls, answer.content) == ([], f"Hm. {text}")
    else:
        assert answer.content == "Hm."


@every_format
def test_a_marker_in_text_is_text(endpoint, form: CallFormat):
    text = f"The tag {form.start.strip()} starts it."
    answer = read(endpoint, text, parser=form.parser)
    assert (answer.content, answer.calls) == (text, [])


def json_call(arguments: str) -> str:
    return f'<tool_call>\n{{"name": "get_weather", "arguments": {arguments}}}\n</tool_call>'


def python_call(value: str) -> str:
    return f"<|tool_call_start|>[get_weather(city={value})]<|tool_call_end|>"


DEEP = "[" * 5_000 + "]" * 5_000


@pytest.mark.parametrize(
    ("parser", "text"),
    [
        ("json_tools", json_call(DEEP)),
        ("json_tools", json_call('{"city":' + DEEP + "}")),
        ("mistral", '[TOOL_CALLS]get_weather[ARGS]{"city":' + DEEP),
        ("gemma4", "<|tool_call>call:get_weather{city:" + DEEP + "}<tool_call|>"),
        ("pythonic", python_call("{1, 2}")),
        ("pythonic", python_call("b'Rome'")),
        ("pythonic", python_call("-" * 50_000 + "1")),
    ],
    ids=["list", "object", "unclosed", "gemma", "set", "bytes", "signs"],
)
def test_arguments_that_json_cannot_represent_are_text(endpoint, parser: str, text: str):
    answer = endpoint.answer([text], parser=parser)
    assert (answer.error, answer.calls, answer.content) == (None, [], text)
    streamed = endpoint.answer(
        [text[at : at + 900] for at in range(0, len(text), 900)], parser=parser
    )
    assert (streamed.error, streamed.complete, streamed.finish_reason) == (None, [], "stop")


@pytest.mark.parametrize(
    ("parser", "text"),
    [
        ("json_tools", json_call('{"city": "\\ud83d"}')),
        ("mistral", '[TOOL_CALLS]get_weather[ARGS]{"city": "\\ud83d"}'),
        ("pythonic", python_call('"\\ud83d"')),
    ],
)
def test_a_lone_surrogate_is_passed_on(endpoint, parser: str, text: str):
    answer = read(endpoint, text, parser=parser)
    assert answer.complete == [("get_weather", {"city": "\ud83d"})]


@pytest.mark.parametrize("between", ["\n", ", ", ";\n"])
def test_several_calls_may_share_one_pair_of_markers(endpoint, between: str):
    first = '{"name": "get_weather", "arguments": {"city": "Rome", "days": 3}}'
    text = f'<tool_call>\n{first}{between}{{"name": "now", "arguments": {{}}}}\n</tool_call>'
    answer = read(endpoint, text, parser="json_tools")
    assert (answer.content, answer.complete) == ("", WEATHER + NOW)


def test_arguments_next_to_the_name_are_not_lost(endpoint):
    text = '<tool_call>\n{"name": "get_weather", "city": "Rome"}\n</tool_call>'
    answer = read(endpoint, text, parser="json_tools")
    assert (answer.content, answer.calls) == (text, [])
    bare = '<tool_call>\n{"type": "function", "id": "1", "name": "now"}\n</tool_call>'
    assert read(endpoint, bare, parser="json_tools").complete == NOW


def test_harmony_may_write_text_before_each_call(endpoint):
    form = FORMATS["harmony"]
    calls = [form.call("get_weather", ROME), form.call("now", {})]
    begin = "<|start|>assistant"
    preamble = "<|channel|>commentary<|message|>I look.<|end|>"
    text = f"{preamble}{begin}{calls[0]}{begin}{calls[1]}"
    answer = read(endpoint, text, parser="harmony")
    assert (answer.content, answer.complete) == ("I look.", WEATHER + NOW)
    thought = "<|channel|>analysis<|message|>Hm.<|end|>"
    answer = read(endpoint, f"{thought}{begin}{text}", parser="harmony")
    assert (answer.reasoning, answer.content) == ("Hm.", "I look.")
    assert answer.complete == WEATHER + NOW


@every_format
def test_an_invalid_call_does_not_hide_the_next(endpoint, form: CallFormat):
    bad = f"{form.start}I don't know{{{form.end}"
    answer = read(endpoint, f"{bad}\n{form.call('get_weather', ROME)}", parser=form.parser)
    assert answer.complete == WEATHER
    assert "I don't know{" in answer.content


@every_format
@pytest.mark.parametrize(("start", "end"), THOUGHTS.items(), ids=THOUGHTS)
def test_a_call_in_finished_reasoning_is_reasoning(endpoint, form: CallFormat, start, end):
    call = form.call("get_weather", ROME)
    for opened, first in ((f"{start}\n", ""), ("", f"{start}\n")):
        text = f"{first}I could {call} but no.{end}\n\nIt is noon."
        answer = read(endpoint, text, parser=form.parser, opened=opened)
        assert answer.calls == []
        assert answer.content == "It is noon."
        assert answer.reasoning == f"I could {call} but no."
        after = f"{first}I could {call}.{end}\n\n{form.call('now', {})}"
        assert read(endpoint, after, parser=form.parser, opened=opened).complete == NOW


@every_format
def test_a_call_in_unfinished_reasoning_is_a_call(endpoint, form: CallFormat):
    text = f"I need it. {form.call('get_weather', ROME)}"
    answer = read(endpoint, text, parser=form.parser, opened="<think>\n")
    assert (answer.reasoning, answer.complete) == ("I need it. ", WEATHER)
    cut = read(endpoint, text, parser=form.parser, opened="<think>\n", finish="length")
    assert (cut.reasoning, cut.calls, cut.finish_reason) == (text, [], "length")


every_thought = pytest.mark.parametrize(("start", "end"), THOUGHTS.items(), ids=THOUGHTS)


@every_thought
def test_reasoning_starts_in_the_prompt_or_at_the_start(endpoint, start, end):
    for opened, text in ((f"{start}\n", ""), ("", start), ("", f"\n{start}\n"), (start, start)):
        answer = read(endpoint, f"{text}Hm.{end}\n\nFour {start}.{end}", opened=opened)
        assert (answer.reasoning, answer.content) == ("Hm.", f"Four {start}.{end}")


@every_thought
@pytest.mark.parametrize("text", ["The tag {} starts it.", "Use `{}a{}` here.", "{1} ends it."])
def test_reasoning_markers_are_text_anywhere_else(endpoint, start, end, text):
    text = text.format(start, end)
    for parser in (None, "json_tools"):
        for opened in ("", f"{start}\n\n{end}\n\n"):
            answer = read(endpoint, text, opened=opened, parser=parser)
            assert (answer.content, answer.reasoning) == (text, "")


@every_thought
@pytest.mark.parametrize("finish", ["stop", "length"])
def test_an_answer_that_ends_in_its_reasoning_has_the_finish_reason(endpoint, start, end, finish):
    pieces = tokens(f"{start}\nI wonder.{end[:-1]}")
    answer = endpoint.answer(pieces, finish=finish)
    assert answer.reasoning == f"I wonder.{end[:-1]}"
    assert (answer.content, answer.finish_reason) == ("", finish)


def test_text_is_returned_as_written(endpoint):
    for text in ("  Indented.\n\n", "a < b <", "<|START_TEX", "[TOOL", "\n\n", "{}", "<"):
        for parser in (None, *FORMATS):
            parser = FORMATS[parser].parser if parser else None
            assert endpoint.answer(tokens(text), parser=parser).content == text


def test_text_between_coheres_markers_is_the_answer(endpoint):
    text = "<|START_THINKING|>Hm.<|END_THINKING|><|START_TEXT|>Four.<|END_TEXT|>"
    answer = read(endpoint, text)
    assert (answer.reasoning, answer.content) == ("Hm.", "Four.")
    inside = "It begins with <|START_TEXT|> and ends with <|END_TEXT|> then."
    assert read(endpoint, inside).content == inside


GEMMA_CALLS = {
    "quoted names": 'call:get_weather{"city":<|"|>Rome<|"|>,"days":3}',
    "names in its own quotation marks": 'call:get_weather{<|"|>city<|"|>:<|"|>Rome<|"|>,days:3}',
    "JSON": 'call:get_weather{"city": "Rome", "days": 3}',
    "no prefix": 'get_weather{city:<|"|>Rome<|"|>,days:3}',
}


@pytest.mark.parametrize("body", GEMMA_CALLS.values(), ids=GEMMA_CALLS)
def test_quotation_marks_around_names_in_gemmas_calls_are_removed(endpoint, body):
    answer = read(endpoint, f"<|tool_call>{body}<tool_call|>", parser="gemma4")
    assert answer.complete == WEATHER


@pytest.mark.parametrize("city", ['a } b { " c', "a, b: c", "[", 'say "hi"'])
def test_strings_in_gemmas_calls_may_contain_brackets(endpoint, city):
    text = FORMATS["gemma4"].call("get_weather", {"city": city})
    assert read(endpoint, text, parser="gemma4").complete == [("get_weather", {"city": city})]


PIECE = re.compile(
    r"\]<\]minimax\[>\[</?[^>]*>\n?|<\|\"\|>|</?[^<>]*>\n?|\[[A-Z_]+\]|\w+|\s+|[^\w\s]"
)
"""A tag, a sign or a word of a call."""


@every_format
@pytest.mark.parametrize("order", [("city", "days"), ("city", "note", "days"), ("days", "city")])
def test_a_call_with_one_tag_or_sign_missing_or_repeated_is_that_call_or_text(
    endpoint, form: CallFormat, order
):
    arguments = {name: {**ROME, "note": "hot"}[name] for name in order}
    pieces = PIECE.findall(form.body("get_weather", arguments))
    for at, piece in enumerate(pieces):
        if re.fullmatch(r"[\w\s]+", piece):
            continue
        for instead in ([], [piece, piece]):
            body = "".join([*pieces[:at], *instead, *pieces[at + 1 :]])
            text = f"Hm. {form.start}{body}{form.end}"
            if len(text) < HELD_CHARACTERS:
                answer = read(endpoint, text, parser=form.parser)
            else:
                answer = endpoint.answer([text], parser=form.parser)
            assert answer.error is None
            if [name for name, _ in answer.complete] == ["get_weather"]:
                assert answer.complete[0][1] == arguments, text
            elif not answer.complete:
                assert (answer.calls, answer.content) == ([], text)
            else:  # the name is passed on as written, even if there is no such function
                assert [given for _, given in answer.complete] == [arguments], text


VALUE_TAGS = {
    "qwen3_coder": ("<parameter={}>", "\n</parameter>"),
    "minimax_m2": ('<parameter name="{}">', "</parameter>"),
    "atem": ('<atem:parameter name="{}">', "</atem:parameter>"),
    "minicpm5": ('<param name="{}">', "</param>"),
    "glm47": ("<arg_key>{}</arg_key>\n<arg_value>", "</arg_value>"),
    "longcat": (
        "<longcat_arg_key>{}</longcat_arg_key>\n<longcat_arg_value>",
        "</longcat_arg_value>",
    ),
}
"""The tags around a value, in the formats with such tags."""
BOTH = ["city", "days"]
every_tagged = pytest.mark.parametrize("name", VALUE_TAGS)


def without_end(name: str, value: str, call: str) -> str:
    """A call without the tag after a value."""
    _, end = VALUE_TAGS[name]
    assert call.count(f"{value}{end}") == 1
    return call.replace(f"{value}{end}", value)


@every_tagged
@pytest.mark.parametrize(
    ("arguments", "value", "required", "is_call"),
    [
        ({"city": "Rome", "days": 3}, "3", [], True),
        ({"city": "Rome", "days": 3}, "Rome", BOTH, True),
        ({"city": "Rome", "days": 3}, "Rome", [], False),
        ({"days": 3, "city": "Rome"}, "3", [], True),
        ({"days": 3, "city": "Rome"}, "Rome", [], True),
        ({"note": "hot", "city": "Rome", "days": 3}, "hot", BOTH, True),
        ({"note": "hot", "city": "Rome", "days": 3}, "Rome", BOTH, True),
        ({"city": "Rome", "note": "hot", "days": 3}, "Rome", BOTH, False),
        ({"city": LONG.strip(), "days": 3}, LONG.strip(), BOTH, True),
        ({"city": LONG.strip(), "days": 3}, LONG.strip(), [], False),
    ],
    ids=[
        "after the last value",
        "before a required argument",
        "before an optional argument",
        "after a number",
        "after the last text",
        "before the first of two",
        "before the second of two",
        "between two texts",
        "after a long text",
        "after a long text, before an optional argument",
    ],
)
def test_a_value_whose_end_is_missing_ends_where_only_one_reading_is_possible(
    endpoint, name, arguments, value, required, is_call
):
    form = FORMATS[name]
    text = f"Hm. {without_end(name, value, form.call('get_weather', arguments))}"
    tools = requiring(required)
    answer = endpoint.answer([text], parser=form.parser, tools=tools)
    assert answer.error is None
    expected = ([("get_weather", arguments)], "Hm.") if is_call else ([], text)
    assert (answer.complete, answer.content) == expected
    streamed = endpoint.answer(tokens(text), parser=form.parser, tools=tools)
    assert (streamed.error, streamed.complete) == (None, answer.complete)
    if is_call or not streamed.calls:
        assert shown(streamed) == shown(answer)
    else:  # what was sent stays incomplete, and is right as far as it goes
        [sent] = streamed.calls
        assert streamed.finish_reason == "stop"
        assert json.loads(sent["arguments"] + '"}').items() <= arguments.items()
        assert len(text) > HELD_CHARACTERS


def requiring(names: list[str]) -> list[dict]:
    weather, now = json.loads(json.dumps(TOOLS))
    weather["function"]["parameters"]["required"] = names
    return [weather, now]


@every_tagged
def test_a_call_after_one_with_a_missing_end_is_a_call(endpoint, name: str):
    form = FORMATS[name]
    first = without_end(name, "3", form.call("get_weather", ROME))
    for second in (NOW, WEATHER):
        text = f"{first}\n{form.call(*second[0])}"
        assert read(endpoint, text, parser=form.parser).complete == WEATHER + second


@pytest.mark.parametrize("name", ["qwen3_coder", "minimax_m2", "atem"])
def test_calls_between_one_pair_of_markers_may_lack_the_end_of_the_first(endpoint, name: str):
    form = FORMATS[name]
    first = form.body("get_weather", ROME)
    second = form.body("now", {}).replace("<atem:function_calls>\n", "")
    text = f"{form.start}{first.replace(form.unclosed.strip(), '')}{second}{form.end}"
    assert read(endpoint, text, parser=form.parser).complete == WEATHER + NOW
    ended = f"{form.start}{without_end(name, '3', first)}{second}{form.end}"
    assert read(endpoint, ended, parser=form.parser).complete == WEATHER + NOW


@every_tagged
@pytest.mark.parametrize(
    ("inner", "days"), [("days", None), ("what", 3), ("days", 3)], ids=["typed", "unknown", "given"]
)
def test_tags_in_a_value_that_can_be_no_argument_are_text(endpoint, name: str, inner, days):
    form = FORMATS[name]
    value = f"Write {VALUE_TAGS[name][0].format(inner)} there."
    arguments = {"city": value, **({"days": days} if days else {})}
    if days and inner == "days":
        arguments = {"days": days, "city": value}
    text = form.call("get_weather", arguments)
    assert read(endpoint, text, parser=form.parser).complete == [("get_weather", arguments)]


def test_a_value_of_a_nullable_type_is_kept(endpoint):
    text = FORMATS["minimax_m2"].call("get_weather", {"note": "hot"})
    assert read(endpoint, text, parser="minimax_m2").complete == [("get_weather", {"note": "hot"})]


def test_a_long_call_that_becomes_invalid_stays_incomplete_and_its_rest_is_text(endpoint):
    start = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "' + "x" * 400
    text = f'{start}" and "more"}}}}\n</tool_call>'
    answer = endpoint.answer(tokens(text), parser="json_tools")
    assert (answer.finish_reason, answer.complete) == ("stop", [])
    [call] = answer.calls
    assert call["arguments"].count("x") == 400
    assert "more" in answer.content
    assert "x" not in answer.content


@pytest.mark.parametrize("name", chat_endpoint.REPLACED)
def test_an_unsupported_mlx_vlm_is_refused(monkeypatch, name):
    monkeypatch.setattr(openai, name, lambda other: None)
    with pytest.raises(FatalError, match=f"openai.{name}"):
        chat_endpoint.patch()

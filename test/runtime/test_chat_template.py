"""Rendering conversations with chat templates, and detecting what they support. Needs mlx_vlm and
the demo model's tokenizer, no weights."""

import json
from types import SimpleNamespace

import pytest
from fastapi import HTTPException
from mlx_vlm.server.runtime import runtime
from transformers import PreTrainedTokenizerFast

from launcher import chat_template
from launcher.chat_template import facts_of, render
from launcher.template_warnings import warn_about_template
from runtime_process import DEMO

CONTENT = (
    "{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
    "{% if c.type == 'image' %}(image){% else %}{{ c.text }}{% endif %}{% endfor %}{% endif %}"
)
ALTERNATES = (
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
)
TURN = "[{{ m.role }}:" + CONTENT + "]"
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('No system role') }}{% endif %}"
)
BEGIN = "{% if add_generation_prompt %}[assistant:{% endif %}"
PLAIN = "{% for m in messages %}" + TURN + "{% endfor %}" + BEGIN
STRICT = NO_SYSTEM + "{% for m in messages %}" + ALTERNATES + TURN + "{% endfor %}" + BEGIN
NINE = "{% if id | length != 9 %}{{ raise_exception('IDs have length 9') }}{% endif %}"
MISTRAL = (
    "{% if tools %}[TOOLS]{{ tools | tojson }}{% endif %}{% for m in messages %}"
    "{% if m.role == 'tool' %}{% set id = m.tool_call_id %}" + NINE + "[RESULT]{{ m.content }}"
    "{% elif m.tool_calls %}{% for call in m.tool_calls %}{% set id = call.id %}"
    + NINE
    + "[TOOL_CALLS]"
    "{{ call.function | tojson }}{% endfor %}{% else %}" + TURN + "{% endif %}{% endfor %}" + BEGIN
)


@pytest.fixture(scope="module")
def processor():
    return PreTrainedTokenizerFast.from_pretrained(DEMO)


@pytest.fixture
def rendered(processor, monkeypatch):
    """Renders with a template. Returns the prompt, or the code and message of the error."""
    config = SimpleNamespace(model_type="qwen2_vl")
    monkeypatch.setitem(runtime.model_cache, "config", config)

    def use(template):
        monkeypatch.setattr(processor, "chat_template", template)
        facts_of.cache_clear()

    def rendered(template, messages, **kwargs):
        use(template)
        try:
            return render(processor, config, messages, **kwargs)
        except HTTPException as error:
            return error.status_code, error.detail["code"], error.detail["message"]

    rendered.config = config
    rendered.facts = lambda template: (use(template), facts_of(processor))[1]
    yield rendered
    facts_of.cache_clear()


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


SYSTEM = {"role": "system", "content": "S"}
IMAGE = {"type": "image"}
CALLS = [
    user("go"),
    assistant(
        "Now",
        tool_calls=[
            {
                "id": "call_1234",
                "type": "function",
                "function": {"name": "f", "arguments": {"a": 1}},
            }
        ],
    ),
    {"role": "tool", "tool_call_id": "call_1234", "content": "42"},
]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}

FITTED = [
    ("two users", [user("a"), user("b")], "[user:a\n\nb]"),
    ("system", [SYSTEM, user("a")], "[user:S\n\na]"),
    ("system and two users", [SYSTEM, user("a"), user("b")], "[user:S\n\na\n\nb]"),
    ("only a system", [SYSTEM], "[user:S]"),
    (
        "images in their order",
        [
            SYSTEM,
            user([IMAGE, {"type": "text", "text": "a"}]),
            user("b"),
            user([{"type": "text", "text": "c"}, IMAGE]),
        ],
        "[user:S\n\n(image)a\n\nb\n\nc(image)]",
    ),
    (
        "two answers",
        [user("a"), assistant("b"), assistant("c"), user("d")],
        "[user:a][assistant:b\n\nc][user:d]",
    ),
    (
        "a call and its result, then a question",
        [*CALLS, user("well?")],
        '[user:go][assistant:Now\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>]'
        "[user:<tool_response>\n42\n</tool_response>\n\nwell?]",
    ),
]


@pytest.mark.parametrize(("name", "messages", "expected"), FITTED, ids=[each[0] for each in FITTED])
def test_a_conversation_that_a_template_refuses_is_restructured(rendered, name, messages, expected):
    images = expected.count("(image)")
    assert rendered(STRICT, messages, num_images=images) == expected + "[assistant:"


def test_an_accepted_conversation_is_unchanged(rendered):
    messages = [SYSTEM, user("a"), user("b")]
    assert rendered(PLAIN, messages) == "[system:S][user:a][user:b][assistant:"


def test_a_refused_conversation_gets_the_templates_message(rendered):
    words = (400, "template_refused", "Conversation roles must alternate")
    assert rendered(STRICT, [assistant("a"), user("b")]) == words
    assert rendered(STRICT, [SYSTEM, assistant("a"), user("b")])[1] == "template_refused"


def test_a_second_image_is_refused_by_a_model_that_takes_one(rendered):
    rendered.config.model_type = "mllama"
    two = user([IMAGE, IMAGE, {"type": "text", "text": "a"}])
    assert rendered(PLAIN, [two], num_images=2)[:2] == (400, "too_many_images")
    one = user([IMAGE, {"type": "text", "text": "a"}])
    assert rendered(STRICT, [one, one], num_images=2)[1] == "template_refused"


def test_call_ids_are_shortened_for_a_template_that_requires_it(rendered):
    prompt = rendered(MISTRAL, CALLS)
    assert '[TOOL_CALLS]{"name": "f"' in prompt
    assert "[RESULT]42" in prompt


FAILING = {
    "an undefined value": ("{{ messages[0].a.b }}", "UndefinedError"),
    "another type": ("{{ messages + 1 }}", "TypeError"),
    "a mistake of syntax": ("{% for %}", "TemplateSyntaxError"),
    "unlimited output": ("{% for i in range(9999) %}{{ 'x' * 9999 }}{% endfor %}", "characters"),
    "a loop without end": (
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "longer than",
    ),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_template_error_differs_from_a_refusal(rendered, monkeypatch, name):
    monkeypatch.setattr(chat_template, "RENDER_SECONDS", 0.2)
    template, words = FAILING[name]
    status, code, message = rendered(template, [user("a")])
    assert (status, code) == (500, "template_failed")
    assert words in message


CONTINUED = [
    ("ends with spaces", [user("a"), assistant('{"a": ')], '[user:a][assistant:{"a": '),
    ("is merged", [user("a"), assistant("b"), assistant("c")], "[user:a][assistant:b\n\nc"),
    ("says nothing", [user("a"), assistant("")], "[user:a][assistant:"),
]


@pytest.mark.parametrize(("name", "messages", "expected"), CONTINUED)
def test_the_last_message_is_continued(rendered, name, messages, expected):
    assert rendered(STRICT, messages, continue_final_message=True) == expected


def test_a_message_that_the_template_does_not_show_last_cannot_be_continued(rendered):
    shows_users = "{% for m in messages if m.role == 'user' %}" + TURN + "{% endfor %}" + BEGIN
    messages = [user("a"), assistant("b")]
    assert rendered(shows_users, messages, continue_final_message=True)[1] == "cannot_continue"
    assert rendered(PLAIN, [user("a")], continue_final_message=True)[1] == "cannot_continue"


def test_tools_are_described_if_the_template_does_not_support_them(rendered):
    prompt = rendered(PLAIN, [SYSTEM, user("a")], tools=[TOOL])
    assert prompt.startswith("[system:S\n\nYou may call")
    assert f"<tools>\n{json.dumps(TOOL)}\n</tools>" in prompt
    assert rendered(STRICT, [user("a")], tools=[TOOL]).endswith("\n\na][assistant:")


def test_calls_of_described_tools_have_a_parser(rendered, processor):
    rendered(PLAIN, [user("a")])
    assert chat_template.infer_parser(processor) == "json_tools"
    rendered(MISTRAL, [user("a")])
    assert chat_template.infer_parser(processor) == "mistral"


FACTS = {
    "plain": (PLAIN, "described", "none", False),
    "strict": (STRICT, "described", "none", False),
    "with tools": (MISTRAL, "native", "none", False),
    "with tools in a form that no parser reads": (
        "{{ tools | tojson }}" + PLAIN,
        "described",
        "none",
        False,
    ),
    "that says `tools` in a comment": ("{# tools #}" + PLAIN, "described", "none", False),
    "that shows the question alone": ("{{ messages[-1].content }}", "none", "none", False),
    "that always thinks": (PLAIN + "<think>\n", "described", "always", False),
    "that may think": (
        PLAIN + "<think>{% if not enable_thinking %}</think>{% endif %}",
        "described",
        "optional",
        False,
    ),
    "that calls it thinking": (
        PLAIN + "{% if thinking %}<think>{% endif %}",
        *("described", "optional"),
        False,
    ),
    "with levels of effort": (PLAIN + "{{ reasoning_effort }}", "described", "always", True),
    "that fails": ("{{ a.b.c }}", "none", "none", False),
}


@pytest.mark.parametrize("name", FACTS)
def test_template_support_is_detected_by_rendering(rendered, name):
    template, *expected = FACTS[name]
    assert list(rendered.facts(template).to_line().values()) == expected


def test_enable_thinking_is_passed_under_the_templates_own_name(rendered):
    template = PLAIN + "{% if thinking %}<think>{% endif %}"
    assert rendered(template, [user("a")], enable_thinking=True).endswith("<think>")
    assert rendered(template, [user("a")], enable_thinking=False).endswith("[assistant:")


TEXT_ONLY = "{% for m in messages %}[{{ m.role }}]{% endfor %}"


@pytest.mark.parametrize(
    ("template", "model_type", "sees_images", "warning"),
    [
        (PLAIN, "qwen2_vl", True, None),
        (None, "qwen2_vl", True, "has no chat template"),
        (None, "llama", False, "has no chat template"),
        # Made for a bare prompt.
        (None, "paligemma", True, None),
        (TEXT_ONLY, "qwen2_vl", True, "cannot show images"),
        (TEXT_ONLY, "qwen2_vl", False, None),
        (TEXT_ONLY, "llama", False, None),
        ("{{ messages[0].there.is.none }}", "qwen2_vl", True, None),
    ],
)
def test_a_model_whose_template_shows_too_little_is_warned_about(
    rendered, processor, caplog, template, model_type, sees_images, warning
):
    rendered.facts(template)
    config = SimpleNamespace(model_type=model_type)
    warn_about_template(processor, config, sees_images=sees_images)
    warnings = [each.message for each in caplog.records if each.levelname == "WARNING"]
    assert len(warnings) == (warning is not None)
    assert warning is None or warning in warnings[0]

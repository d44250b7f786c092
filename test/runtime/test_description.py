"""Describing a model from its files. Needs neither mlx_vlm nor a model."""

import json

import pytest

from shared.description import describe, has_template

TOOLS = "{% if tools %}{{ tools | tojson }}{% endif %}{{ messages }}"
QWEN3_VL_THINKING = "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"


@pytest.fixture
def write(tmp_path):
    """Writes a model's files: strings unchanged, anything else as JSON."""

    def write_files(**files):
        for name, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            (tmp_path / name.replace("__", ".")).write_text(text)
        return tmp_path

    return write_files


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"quantization": {"bits": 4, "group_size": 64}, "dtype": "bfloat16"}, "4-bit"),
        ({"quantization": {"bits": 4, "mode": "mxfp4"}}, "mxfp4"),
        ({"quantization_config": {"bits": 8}}, "8-bit"),
        ({"torch_dtype": "float16"}, "float16"),
        ({"text_config": {"dtype": "bfloat16"}}, "bfloat16"),
        ({}, None),
        ({"quantization": "x", "text_config": 5}, None),
    ],
)
def test_quantization_comes_from_the_config(write, config, expected):
    assert describe(write(config__json=config)).quantization == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"max_position_embeddings": 4096}, 4096),
        ({"text_config": {"max_position_embeddings": 8192}, "max_position_embeddings": 1}, 8192),
        ({"llm_config": {"max_position_embeddings": 2048}}, 2048),
        ({"text_config": {"max_position_embeddings": "many"}}, None),
        ({}, None),
    ],
)
def test_context_length_comes_from_the_language_model(write, config, expected):
    assert describe(write(config__json=config)).context_length == expected


@pytest.mark.parametrize(
    "files",
    [
        {"chat_template__jinja": TOOLS},
        {"chat_template__json": {"chat_template": TOOLS}},
        {"processor_config__json": {"chat_template": TOOLS}},
        {"tokenizer_config__json": {"chat_template": TOOLS}},
        {
            "tokenizer_config__json": {
                "chat_template": [
                    {"name": "default", "template": "{{ messages }}"},
                    {"name": "tool_use", "template": TOOLS},
                ]
            }
        },
    ],
)
def test_a_template_with_tools_is_found_in_every_file_that_transformers_reads(write, files):
    assert describe(write(**files)).calls_tools


@pytest.mark.parametrize(
    ("template", "calls_tools", "thinks"),
    [
        (TOOLS, True, False),
        ("You have no tools.{{ messages }}", False, False),
        ("{% for message in messages %}{{ message.toolset }}{% endfor %}", False, False),
        (QWEN3_VL_THINKING, False, True),
        ("{% if enable_thinking %}think{% endif %}{{ messages }}", False, True),
        ("{{ 'Reasoning: ' + reasoning_effort }}", False, True),
        ("{{ content.split('</think>')[-1] }}{{ '<think>' }}", False, True),
        ("{% if add %}<|channel>thought\n{% endif %}", False, True),
        ("You are thinking of {{ messages }}", False, False),
    ],
)
def test_tools_and_thinking_are_read_from_the_code_of_the_template(
    write, template, calls_tools, thinks
):
    found = describe(write(chat_template__jinja=template))
    assert (found.calls_tools, found.thinks) == (calls_tools, thinks)


def test_a_model_with_a_vision_config_sees_images(write):
    assert describe(write(config__json={"vision_config": {}})).sees_images
    assert not describe(write(config__json={"text_config": {}})).sees_images


def test_damaged_files_are_ignored(write):
    found = describe(write(config__json="{", tokenizer_config__json="[]", chat_template__json="5"))
    assert (found.model_type, found.context_length, found.calls_tools) == (None, None, False)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, False),
        ({"tokenizer_config__json": {"chat_template": None}}, False),
        ({"tokenizer_config__json": {"chat_template": TOOLS}}, True),
        ({"chat_template__jinja": TOOLS}, True),
    ],
)
def test_a_folder_without_a_chat_template_is_recognized(write, files, expected):
    assert has_template(write(**files)) is expected

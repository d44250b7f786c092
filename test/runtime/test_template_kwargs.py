"""Which `chat_template_kwargs` are passed to a chat template. Needs mlx_vlm, no model."""

from types import SimpleNamespace

import pytest
from mlx_vlm.server import generation, request_normalization
from mlx_vlm.server.runtime import runtime

from launcher import template_kwargs
from launcher.template_kwargs import FIELD, template_names

TEMPLATE = "{% if add_vision_id %}{{ style }}{% endif %}{{ messages }}"


def test_template_names_come_from_the_processor_and_the_tokenizer():
    tokenizer = SimpleNamespace(chat_template={"default": "{{ other }}"})
    processor = SimpleNamespace(chat_template=TEMPLATE, tokenizer=tokenizer)
    assert {"add_vision_id", "style", "other"} <= set(template_names(processor))


@pytest.fixture
def patched(monkeypatch):
    monkeypatch.setattr(
        request_normalization, "_build_gen_args", request_normalization._build_gen_args
    )
    arguments = generation.GenerationArguments
    monkeypatch.setattr(arguments, "to_template_kwargs", arguments.to_template_kwargs)
    processor = SimpleNamespace(chat_template=TEMPLATE, tokenizer=None)
    monkeypatch.setitem(runtime.model_cache, "processor", processor)
    template_kwargs.patch()


def test_only_names_that_the_template_uses_are_passed(patched):
    given = {"add_vision_id": True, "unused": 1, "enable_thinking": True}
    request = SimpleNamespace(model_extra={FIELD: given}, model_fields_set=set())
    kwargs = request_normalization._build_gen_args(request).to_template_kwargs()
    assert kwargs["add_vision_id"] is True
    assert "unused" not in kwargs
    assert kwargs["enable_thinking"] is False, "the request's own parameters take precedence"

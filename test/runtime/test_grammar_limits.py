"""Compiling schemas, and refusing those that are too complex. Needs no model."""

import json
import time
from pathlib import Path

import llguidance
import llguidance.hf
import pytest
from transformers import AutoTokenizer

from launcher.structured_output import compile_grammar

DEMO = Path(__file__).parents[2] / "resources/models/demo"


@pytest.fixture(scope="module")
def tokenizer() -> llguidance.LLTokenizer:
    return llguidance.hf.from_tokenizer(AutoTokenizer.from_pretrained(DEMO))


def matcher_of(tokenizer: llguidance.LLTokenizer, schema: dict) -> llguidance.LLMatcher:
    compiler = llguidance.JsonCompiler(separators=(", ", ": "), whitespace_pattern="")
    return compile_grammar(tokenizer, compiler.compile(json.dumps(schema)))


def closed(properties: dict, required: list[str]) -> dict:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def enums(count: int) -> dict:
    return {f"p{i}": {"enum": [f"v{i}_{j}" for j in range(20)]} for i in range(count)}


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(closed({"a": {"$ref": "#"}}, ["a"]), id="a value that contains itself"),
        pytest.param(closed(enums(850), []), id="850 optional properties"),
    ],
)
def test_a_schema_that_is_too_complex_is_refused_quickly_and_in_one_line(tokenizer, schema):
    start = time.monotonic()
    with pytest.raises(ValueError, match="too complex") as refusal:
        matcher_of(tokenizer, schema)
    assert time.monotonic() - start < 5
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 250


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(closed({"color": {"enum": ["red", "blue"]}}, ["color"]), id="a small one"),
        pytest.param(closed(enums(500), list(enums(500))), id="500 required properties"),
        pytest.param(closed({"a": {"$ref": "#"}}, []), id="an optional recursion"),
    ],
)
def test_other_schemas_are_compiled_once_and_reset_for_each_answer(tokenizer, schema):
    matcher = matcher_of(tokenizer, schema)
    assert matcher is matcher_of(tokenizer, schema)
    copy = matcher.deep_copy()
    assert copy.consume_tokens(tokenizer.tokenize_str("{"))
    assert matcher.compute_bitmask() != copy.compute_bitmask()

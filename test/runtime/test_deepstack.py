"""A Qwen3-VL of random weights says the same of a picture however its prompt is computed."""

from types import SimpleNamespace

import deepstack
import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten
from mlx_vlm.generate import ar
from mlx_vlm.models import qwen3_vl
from mlx_vlm.utils import StoppingCriteria

PICTURE = 5
TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "vocab_size": 64}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16}
ROPE = {"rope_theta": 1e4, "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]}}
VISION = {"depth": 3, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": 4}
TOKENS_OF_PICTURE = 16


@pytest.fixture(autouse=True)
def patched(monkeypatch):
    """mlx_vlm as the launcher has it, for as long as the test takes."""
    for name in ("_prompt_kwargs_for_step", "generate"):
        monkeypatch.setattr(ar.PromptProcessingBatch, name, getattr(ar.PromptProcessingBatch, name))
    monkeypatch.setattr(ar.BatchGenerator, "insert", ar.BatchGenerator.insert)
    deepstack.patch()


@pytest.fixture(scope="module")
def model():
    mx.random.seed(1)
    config = qwen3_vl.ModelConfig.from_dict(
        {
            "model_type": "qwen3_vl",
            "image_token_id": PICTURE,
            "video_token_id": 6,
            "vision_start_token_id": 7,
            "text_config": {
                **TEXT,
                **HEADS,
                **ROPE,
                "model_type": "qwen3_vl_text",
                "rms_norm_eps": 1e-6,
                "max_position_embeddings": 512,
                "tie_word_embeddings": True,
            },
            "vision_config": {
                **VISION,
                "out_hidden_size": 32,
                "num_position_embeddings": 64,
                "deepstack_visual_indexes": [0, 1],
            },
        }
    )
    made = qwen3_vl.Model(config)
    # Louder than at their start, so that a wrong feature changes what is said.
    made.load_weights([(name, 4 * weights) for name, weights in tree_flatten(made.parameters())])
    return made


def prompt(model, *, seed: int, before: int = 3, after: int = 4) -> tuple[list[int], dict]:
    """Words, a picture of noise, and words again: the tokens, and what the server makes of them."""
    pixels = mx.random.normal((4 * TOKENS_OF_PICTURE, 3 * 2 * 4 * 4), key=mx.random.key(seed))
    picture = [7, *[PICTURE] * TOKENS_OF_PICTURE]
    ids = [10 + seed] * before + picture + [20] * after
    features = model.get_input_embeddings(
        mx.array([ids]), pixels, image_grid_thw=mx.array([[1, 8, 8]])
    )
    return ids, features.to_dict()


def say(model, prompts, *, step: int = 512) -> list[list[tuple[int, float]]]:
    """The first tokens of each prompt's answer, and how probable they were."""
    tokenizer = SimpleNamespace(stopping_criteria=StoppingCriteria([], None))
    generator = ar.BatchGenerator(
        model.language_model, tokenizer, prefill_step_size=step, compute_logprobs=True
    )
    kwargs = [kwargs for _, kwargs in prompts]
    uids = generator.insert([ids for ids, _ in prompts], max_tokens=3, prompt_kwargs=kwargs)
    said = {uid: [] for uid in uids}
    while generator.has_work:
        _, responses = generator.next()
        for response in responses:
            said[response.uid].append((response.token, response.token_logprob))
    return list(said.values())


def test_prompts_computed_together(model):
    prompts = [prompt(model, seed=seed) for seed in (1, 2, 3)]
    alone = [say(model, [each])[0] for each in prompts]
    assert alone[0] != alone[1] != alone[2]
    np.testing.assert_allclose(say(model, prompts), alone, atol=1e-3)


def test_a_prompt_computed_in_chunks(model):
    one = prompt(model, seed=1)
    np.testing.assert_allclose(say(model, [one], step=6), say(model, [one]), atol=1e-3)

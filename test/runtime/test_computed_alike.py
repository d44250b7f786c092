"""What a model says of a picture is the same however its prompt is computed."""

from types import SimpleNamespace

import deepstack
import numpy as np
import pytest
from mlx_vlm.generate import ar
from mlx_vlm.utils import StoppingCriteria

from tiny_models import CONFIGS, make_model, make_prompt

IN_ONE_PIECE = 512


@pytest.fixture(autouse=True)
def as_launched(monkeypatch):
    """mlx_vlm as the launcher has it, for as long as the test takes."""
    batch = ar.PromptProcessingBatch
    for name in ("_prompt_kwargs_for_step", "generate"):
        monkeypatch.setattr(batch, name, getattr(batch, name))
    monkeypatch.setattr(ar.BatchGenerator, "insert", ar.BatchGenerator.insert)
    deepstack.patch()


@pytest.fixture(scope="module", params=CONFIGS)
def model(request):
    return make_model(request.param)


def say(model, prompts, step=IN_ONE_PIECE) -> list[list[tuple[int, float]]]:
    """The first tokens of each prompt's answer, and how probable they were."""
    tokenizer = SimpleNamespace(stopping_criteria=StoppingCriteria([], None))
    generator = ar.BatchGenerator(
        model.language_model, tokenizer, prefill_step_size=step, compute_logprobs=True
    )
    kwargs = [dict(kwargs) for _, kwargs in prompts]
    uids = generator.insert([ids for ids, _ in prompts], max_tokens=3, prompt_kwargs=kwargs)
    said = {uid: [] for uid in uids}
    while generator.has_work:
        _, responses = generator.next()
        for response in responses:
            said[response.uid].append((response.token, response.token_logprob))
    return list(said.values())


@pytest.mark.parametrize("step", [IN_ONE_PIECE, 6])
def test_beside_others_and_in_chunks(model, step):
    prompts = [make_prompt(model, seed) for seed in (1, 2, 3)]
    alone = [say(model, [prompt])[0] for prompt in prompts]
    assert alone[0] != alone[1] != alone[2]
    np.testing.assert_allclose(say(model, prompts, step), alone, atol=1e-3)
    np.testing.assert_allclose([say(model, [each], step)[0] for each in prompts], alone, atol=1e-3)

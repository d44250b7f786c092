"""A model's answer about an image does not depend on how its prompt is batched or cached."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from mlx_vlm import apc, apc_adapters
from mlx_vlm.generate import ar
from mlx_vlm.utils import StoppingCriteria

from launcher import prefill
from tiny_models import ALL_CONFIGS, make_model, make_prompt

IN_ONE_PIECE = 512
long = pytest.mark.long


@pytest.fixture(autouse=True)
def as_launched(monkeypatch):
    """Patches mlx_vlm as the launcher does, for one test."""
    batch = ar.PromptProcessingBatch
    for holder, name in (
        (batch, "_prompt_kwargs_for_step"),
        (batch, "generate"),
        (batch, "remove"),
        (ar.BatchGenerator, "insert"),
        (ar.BatchGenerator, "__init__"),
        (apc_adapters.PrefixCachePlan, "strategy"),
        (apc, "self_check_model_apc"),
    ):
        monkeypatch.setattr(holder, name, getattr(holder, name))
    prefill.patch()


@pytest.fixture(scope="module", params=ALL_CONFIGS)
def model(request):
    return make_model(request.param)


def say(
    model, prompts, step=IN_ONE_PIECE, *, cancel=(), after=0, cache=None
) -> list[list[tuple[int, float]]]:
    """The first tokens of each answer with their logprobs. The prompts at the indices in `cancel`
    are cancelled after `after` steps."""
    tokenizer = SimpleNamespace(stopping_criteria=StoppingCriteria([], None))
    generator = ar.BatchGenerator(
        model.language_model,
        tokenizer,
        prefill_step_size=step,
        compute_logprobs=True,
        apc_manager=cache,
    )
    kwargs = [dict(kwargs) for _, kwargs in prompts]
    uids = generator.insert([ids for ids, _ in prompts], max_tokens=3, prompt_kwargs=kwargs)
    said = {uid: [] for uid in uids}
    for steps in itertools.count():
        if steps == after:
            for place in cancel:
                generator.remove(uids[place])
        if not generator.has_work:
            return list(said.values())
        _, responses = generator.next()
        for response in responses:
            said[response.uid].append((response.token, response.token_logprob))


@pytest.mark.parametrize("step", [IN_ONE_PIECE, 6])
def test_an_answer_is_the_same_in_a_batch_and_in_chunks(model, step):
    prompts = [make_prompt(model, seed) for seed in (1, 2, 3)]
    alone = [say(model, [prompt])[0] for prompt in prompts]
    assert alone[0] != alone[1] != alone[2]
    np.testing.assert_allclose(say(model, prompts, step), alone, atol=1e-3)
    np.testing.assert_allclose([say(model, [each], step)[0] for each in prompts], alone, atol=1e-3)


@pytest.mark.parametrize("after", [2, *(pytest.param(after, marks=long) for after in (1, 3, 4))])
@pytest.mark.parametrize(
    "kept", [(1,), (0, 1), *(pytest.param(kept, marks=long) for kept in ((0,), (2,)))]
)
@pytest.mark.parametrize("is_cached", [False, True], ids=["new", "cached"])
def test_an_answer_is_the_same_when_others_are_cancelled(model, is_cached, kept, after):
    # With one prompt left, mlx_vlm counted the padding of its cache as tokens.
    prompts = [make_prompt(model, seed) for seed in (1, 4, 9)]
    cache = apc.APCManager() if is_cached else None
    alone = [say(model, [prompts[place]], cache=cache)[0] for place in kept]
    cancelled = [place for place in range(3) if place not in kept]
    step = IN_ONE_PIECE if is_cached else 6
    said = say(model, prompts, step, cancel=cancelled, after=after, cache=cache)
    np.testing.assert_allclose([said[place] for place in kept], alone, atol=1e-3)


@pytest.mark.parametrize(
    "cached", [(0,), (0, 2), *(pytest.param(cached, marks=long) for cached in ((1,), (2,), (0, 1)))]
)
def test_an_answer_is_the_same_when_some_prompts_are_cached(model, cached):
    prompts = [make_prompt(model, seed) for seed in (1, 4, 9)]
    alone = [say(model, [prompt])[0] for prompt in prompts]
    cache = apc.APCManager()
    for place in cached:
        say(model, [prompts[place]], cache=cache)
    np.testing.assert_allclose(say(model, prompts, cache=cache), alone, atol=1e-3)

import json
import threading
import time

import pytest

from runtime_process import ENDLESS, picture, question

LONG = {"max_tokens": 40, "logit_bias": {"1018": -1000, "1016": -1000}}


def schema(value: object) -> dict:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": value}}


def ask_together(runtime, requests: dict[str, dict]) -> dict:
    """Sends all requests at once, while another generation keeps the batch busy."""
    answers = {}
    busy, response = runtime.post(**ENDLESS)
    assert response.readline().strip()
    threads = [
        threading.Thread(
            target=lambda name=name, parameters=parameters: answers.update(
                {name: runtime.chat(**parameters)}
            )
        )
        for name, parameters in requests.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    response.close()
    busy.close()
    return answers


def test_a_finished_request_has_ended_and_reports_its_usage(runtime):
    answer = runtime.chat("finished", max_tokens=3)
    assert answer.finish_reason == "length"
    status, usage = runtime.ended("finished")
    assert status == 200
    assert usage["completion_tokens"] == 3
    assert usage["prompt_tokens"] > 20
    assert usage["total_tokens"] == usage["prompt_tokens"] + 3


def test_an_unknown_request_has_ended(runtime):
    assert runtime.ended("no/such request".replace(" ", "%20")) == (204, None)


def test_a_request_refused_before_generation_has_ended(runtime):
    assert runtime.chat("refused", messages=[]).status == 400
    assert runtime.ended("refused") == (204, None)


def test_closing_a_stream_ends_its_generation_within_a_few_tokens(runtime):
    connection, response = runtime.post("closed", **ENDLESS)
    assert response.readline().strip()
    assert runtime.progress()["active"] == 1
    response.close()
    connection.close()
    status, usage = runtime.ended("closed")
    assert status == 200
    assert usage["completion_tokens"] < 100
    assert runtime.progress()["active"] == 0
    deadline = time.monotonic() + 5  # mlx_vlm updates its metrics after the request has ended
    while (summary := runtime.get("/metrics")[1]["summary"])["in_flight"] > 0:
        assert time.monotonic() < deadline, summary
    assert summary["last_error"]["error"] == "stream_closed_before_completion"


@pytest.mark.parametrize("count", [12, pytest.param(40, marks=pytest.mark.long)])
def test_every_closed_stream_ends_its_generation(runtime, count):
    # mlx_vlm left one in ten of these to the garbage collector, hundreds of tokens later.
    tokens = []
    for number in range(count):
        name = f"closed-{count}-{number}"
        connection, response = runtime.post(name, **ENDLESS)
        assert response.readline().strip()
        runtime.progress()
        response.close()
        connection.close()
        tokens.append(runtime.ended(name)[1]["completion_tokens"])
    assert max(tokens) < 200  # a busy machine closes late, but not as late as the garbage collector


def test_a_client_that_disconnects_during_prefill_ends_its_request(runtime):
    before = runtime.progress()["steps"]
    text = "circle " * 400
    runtime.send("left", messages=question(text), **ENDLESS).close()
    runtime.ended("left")
    progress = runtime.progress()
    assert progress["active"] == 0
    assert progress["steps"] - before < 100


def test_a_cancelled_request_does_not_affect_others_in_its_batch(runtime):
    alone = runtime.chat(temperature=1, seed=5, **LONG)
    connection, response = runtime.post("neighbour", **ENDLESS)
    assert response.readline().strip()
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(runtime.chat(temperature=1, seed=5, **LONG))
    )
    thread.start()
    response.close()
    connection.close()
    runtime.ended("neighbour")
    thread.join()
    assert answers == [alone]


def test_steps_are_counted_while_it_generates(runtime):
    before = runtime.progress()
    runtime.chat(**LONG)
    after = runtime.progress()
    assert after["steps"] - before["steps"] >= 40
    assert after["active"] == 0
    assert after["memory_bytes"] > 1_000_000


def test_each_request_of_a_batch_has_its_own_sampling_parameters(runtime):
    requests = {
        "greedy": {"temperature": 0, **LONG},
        "hot": {"temperature": 1.5, "seed": 1, **LONG},
        "hot, another seed": {"temperature": 1.5, "seed": 2, **LONG},
        "narrow": {"temperature": 1.2, "top_p": 0.5, "seed": 7, **LONG},
    }
    alone = {name: runtime.chat(**parameters) for name, parameters in requests.items()}
    assert len({answer.text for answer in alone.values()}) == 4
    assert ask_together(runtime, requests) == alone


def test_each_request_of_a_batch_has_its_own_logprobs(runtime):
    wanted = {"temperature": 0, "logprobs": True, "top_logprobs": 3, **LONG}
    alone = runtime.chat(**wanted)
    together = ask_together(runtime, {"with": wanted, "without": LONG})
    assert together["without"].logprobs == []
    assert [each["token"] for each in together["with"].logprobs] == [
        each["token"] for each in alone.logprobs
    ]
    assert {len(each["top_logprobs"]) for each in together["with"].logprobs} == {3}


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"temperature": 1, "top_k": 5000}, "`top_k`"),
        ({"logit_bias": {"99999999": 1}}, "logit_bias names token 99999999"),
        ({"logit_bias": {"-5": 1}}, "logit_bias names token -5"),
    ],
    ids=["top_k", "token too large", "token below zero"],
)
def test_a_failing_request_does_not_affect_others(runtime, parameters, error):
    good = {"temperature": 1, "seed": 3, **LONG}
    alone = runtime.chat(**good)
    answers = ask_together(runtime, {"good": good, "bad": {"max_tokens": 5, **parameters}})
    assert answers["good"] == alone
    assert error in answers["bad"].error


def test_json_mode_produces_json(runtime):
    answer = runtime.chat(max_tokens=200, response_format={"type": "json_object"})
    assert isinstance(json.loads(answer.text), dict)


def test_a_json_schema_is_enforced(runtime):
    shape = {"type": "object", "properties": {"shape": {"enum": ["circle", "square"]}}}
    closed = {"required": ["shape"], "additionalProperties": False}
    answer = runtime.chat(max_tokens=200, response_format=schema({**shape, **closed}))
    assert json.loads(answer.text)["shape"] in ("circle", "square")


def test_a_schema_is_enforced_if_thinking_is_enabled_for_a_model_without_it(runtime):
    answer = runtime.chat(
        max_tokens=200, enable_thinking=True, response_format=schema({"const": "Red."})
    )
    assert json.loads(answer.text) == "Red."


def test_an_invalid_schema_is_refused(runtime):
    answer = runtime.chat(response_format=schema({"type": "banana"}))
    assert (answer.status, answer.error) == (400, "Invalid type: banana")


def test_a_grammar_that_fails_ends_only_its_own_request(runtime):
    # Exceeds the limits of llguidance, so it fails in the generation thread.
    pattern = {
        "type": "string",
        "pattern": "^(a|b|c|d|e){0,5000}(x{0,5000}y{0,5000}){0,500}$",
    }
    good = {"temperature": 1, "seed": 3, **LONG}
    alone = runtime.chat(**good)
    bad = {"max_tokens": 50, "response_format": schema(pattern)}
    answers = ask_together(runtime, {"good": good, "bad": bad})
    assert answers["good"] == alone


def test_every_log_line_has_a_level_and_no_image(start):
    process = start()
    process.wait_ready()
    payload = "bm90IGEgcGljdHVyZQ" * 50
    broken = f"data:image/png;base64,{payload}"
    assert "Failed to load image" in process.chat(messages=question(url=broken)).error
    process.chat(messages=question(url=picture()), max_tokens=3)
    process.process.terminate()
    process.wait_end()
    log = "".join(process.log)
    assert "base64,[...]" in log
    assert payload[:40] not in log
    assert {line.split(" ")[0] for line in process.log} <= {"INFO", "WARNING", "ERROR"}


def test_prompts_are_not_written_to_disk(runtime):
    stats = runtime.get("/v1/cache/stats")[1]
    assert stats["enabled"] is True
    assert not stats.get("disk_enabled", stats.get("disk"))


def test_an_idle_runtime_takes_no_steps(runtime):
    before = runtime.progress()["steps"]
    time.sleep(0.3)
    assert runtime.progress()["steps"] == before

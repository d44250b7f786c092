"""A cancelled answer is never reported as complete."""

from queue import Queue

import pytest
from mlx_vlm.server.generation import StreamingToken, _TokenIterator

from launcher import generation_thread
from launcher.requests_in_flight import Call


def received(token: StreamingToken | None, call: Call | None) -> list[str]:
    """What the call receives from a generation that ends after this token."""
    queue: Queue = Queue()
    generation_thread.requests.start_generation(None, prompt_tokens=1)
    put = generation_thread.tracked_put(queue, call, None)
    if token is not None:
        put(token)
    put(None)
    return [item.text for item in _TokenIterator(queue, 1, lambda uid: None, None)]


def token(finish_reason: str | None) -> StreamingToken:
    return StreamingToken("A red", 7, 0.0, finish_reason)


@pytest.mark.parametrize("first", [None, token(None)])
@pytest.mark.parametrize("call", [None, Call("a")])
def test_a_generation_cancelled_during_its_call_is_an_error(first, call):
    with pytest.raises(RuntimeError, match="cancelled before its end"):
        received(first, call)


def test_a_generation_cancelled_by_its_call_ends_without_error():
    assert received(token(None), Call("a", ended=True)) == ["A red"]


@pytest.mark.parametrize("reason", ["stop", "length"])
def test_a_finished_generation_is_complete(reason):
    assert received(token(reason), Call("a")) == ["A red"]

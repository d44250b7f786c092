import asyncio

import pytest

from launcher.requests_in_flight import (
    KEPT_USAGES,
    Call,
    RequestPool,
    RequestsInFlight,
    current_call,
)


@pytest.fixture
def requests() -> RequestsInFlight:
    return RequestsInFlight()


def test_an_unknown_request_has_ended(requests):
    assert asyncio.run(requests.wait_ended("never")) is None


def test_a_request_ends_with_its_last_release(requests):
    async def scenario() -> list[bool]:
        requests.hold("a")
        requests.start_generation("a", prompt_tokens=7)
        waiter = asyncio.create_task(requests.wait_ended("a"))
        await asyncio.sleep(0)
        requests.release("a")
        await asyncio.sleep(0)
        before = waiter.done()
        requests.count("a", completion=3, cached=5)
        requests.end_generation("a")
        usage = await waiter
        return before, usage.to_openai()

    assert asyncio.run(scenario()) == (
        False,
        {
            "prompt_tokens": 7,
            "completion_tokens": 3,
            "total_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 5},
        },
    )


def test_all_generations_of_a_request_must_end(requests):
    async def scenario() -> bool:
        requests.start_generation("a", prompt_tokens=1)
        requests.start_generation("a", prompt_tokens=1)
        requests.end_generation("a")
        waiter = asyncio.create_task(requests.wait_ended("a"))
        await asyncio.sleep(0)
        open_ = not waiter.done()
        requests.end_generation("a")
        return open_ and (await waiter).prompt_tokens == 2

    assert asyncio.run(scenario())


def test_a_thread_working_on_a_request_keeps_it_open(requests):
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(RequestPool(requests))
        reached, go = asyncio.Event(), asyncio.Event()

        def work() -> None:
            loop.call_soon_threadsafe(reached.set)
            asyncio.run_coroutine_threadsafe(go.wait(), loop).result()

        current_call.set(Call("a"))
        task = asyncio.create_task(asyncio.to_thread(work))
        await reached.wait()
        task.cancel()  # the client has disconnected; the thread is still running
        waiter = asyncio.create_task(requests.wait_ended("a"))
        await asyncio.wait([waiter], timeout=0.05)
        assert not waiter.done()
        go.set()
        await waiter

    asyncio.run(scenario())


def test_the_end_of_a_call_cancels_earlier_and_later_generations():
    cancelled = []
    call = Call("a")
    call.on_end(lambda: cancelled.append("earlier"))
    assert cancelled == []
    call.end()
    call.on_end(lambda: cancelled.append("later"))
    assert cancelled == ["earlier", "later"]


def test_a_cancelled_waiter_does_not_affect_the_end(requests):
    async def scenario() -> None:
        requests.hold("a")
        waiter = asyncio.create_task(requests.wait_ended("a"))
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.wait([waiter])
        requests.release("a")

    asyncio.run(scenario())


def test_only_the_last_usages_of_ended_requests_are_kept(requests):
    for number in range(KEPT_USAGES + 10):
        requests.start_generation(str(number), prompt_tokens=1)
        requests.end_generation(str(number))
    assert (len(requests._requests), len(requests._usages)) == (0, KEPT_USAGES)
    assert requests.generating == 0

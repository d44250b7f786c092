import httpx2
import pytest
from huggingface_hub.errors import HfHubHTTPError

from hub.hub_file import GIVE_UP_SECONDS, MAX_WAIT_SECONDS, with_retries


class Waits(list):
    """Records each wait in place of the progress: its seconds, and whether it is a rate limit."""

    def wait(self, seconds: float, *, is_rate_limited: bool) -> None:
        self.append((seconds, is_rate_limited))


class Network:
    """Fails at every attempt, after transferring the given number of bytes."""

    def __init__(self, *bytes_before_each_cut: int) -> None:
        self.to_come = list(bytes_before_each_cut)
        self.here = 0
        self.recorded = Waits()

    @property
    def waits(self) -> list[float]:
        return [seconds for seconds, _ in self.recorded]

    def download(self) -> None:
        if not self.to_come:
            return
        self.here += self.to_come.pop(0)
        raise httpx2.ConnectError("the network is down")

    def try_all(self) -> None:
        with_retries(self.download, lambda: self.here, self.recorded)


def test_waits_increase_until_the_download_gives_up():
    network = Network(*[0] * 1000)
    with pytest.raises(httpx2.ConnectError):
        network.try_all()
    assert network.waits[:6] == [1, 2, 4, 8, 16, MAX_WAIT_SECONDS]
    assert GIVE_UP_SECONDS <= sum(network.waits) < GIVE_UP_SECONDS + MAX_WAIT_SECONDS


def test_a_long_download_may_be_interrupted_many_times_if_bytes_arrive():
    network = Network(*[0, 0, 0, 0, 0, 1000] * 100)
    network.try_all()
    assert sum(network.waits) > 2 * GIVE_UP_SECONDS
    assert network.waits[6:13] == [2, 4, 8, 16, 30, 1, 2]


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({"retry-after": "45"}, [45, 45, 45]),
        ({"retry-after": "0"}, [1, 1, 1]),
        ({"ratelimit": '"resolvers";r=0;t=90'}, [90, 90, 90]),
        ({}, [1, 2, 4]),
    ],
)
def test_a_rate_limit_during_a_download_waits_as_long_as_the_hub_requests(headers, waits):
    """C11: it was reported as a network failure, and Retry-After was ignored."""
    refusals = [too_many_requests(headers) for _ in range(3)]
    assert reported_waits(refusals) == [(seconds, True) for seconds in waits]


def test_a_lost_connection_between_rate_limits_is_still_reported_as_the_network():
    limited = too_many_requests({"retry-after": "45"})
    lost = httpx2.ConnectError("connection refused")
    assert reported_waits([limited, lost, limited]) == [(45, True), (2, False), (45, True)]


def test_a_rate_limit_longer_than_the_limit_fails_the_download_immediately():
    with pytest.raises(HfHubHTTPError):
        reported_waits([too_many_requests({"retry-after": str(GIVE_UP_SECONDS)})])


def too_many_requests(headers: dict[str, str]) -> HfHubHTTPError:
    request = httpx2.Request("GET", "http://hub")
    response = httpx2.Response(429, headers=headers, request=request)
    return HfHubHTTPError("too many requests", response=response)


def reported_waits(errors: list[Exception]) -> list[tuple[float, bool]]:
    """The waits when the attempts fail with these errors before one succeeds."""
    left, waits = list(errors), Waits()

    def work() -> None:
        if left:
            raise left.pop(0)

    with_retries(work, lambda: 0, waits)
    return waits

import httpx2
import pytest
from hub_file import GIVE_UP_SECONDS, LONGEST_WAIT_SECONDS, Ears, patiently


class Network:
    """It is away at every try, after it has let so many bytes through."""

    def __init__(self, *bytes_before_each_cut: int) -> None:
        self.to_come = list(bytes_before_each_cut)
        self.here = 0
        self.waits: list[float] = []

    def download(self) -> None:
        if not self.to_come:
            return
        self.here += self.to_come.pop(0)
        raise httpx2.ConnectError("the network is away")

    def try_all(self) -> None:
        ears = Ears(
            lambda _: None, lambda seconds, _why: self.waits.append(seconds), lambda _: None
        )
        patiently(self.download, lambda: self.here, ears)


def test_waits_longer_and_longer_and_gives_up_a_network_that_stays_away():
    network = Network(*[0] * 1000)
    with pytest.raises(httpx2.ConnectError):
        network.try_all()
    assert network.waits[:6] == [1, 2, 4, 8, 16, LONGEST_WAIT_SECONDS]
    assert GIVE_UP_SECONDS <= sum(network.waits) < GIVE_UP_SECONDS + LONGEST_WAIT_SECONDS


def test_a_long_download_may_be_cut_many_times_as_long_as_bytes_come():
    network = Network(*[0, 0, 0, 0, 0, 1000] * 100)
    network.try_all()
    assert sum(network.waits) > 2 * GIVE_UP_SECONDS
    assert network.waits[6:13] == [2, 4, 8, 16, 30, 1, 2]

import mlx.core as mx

from launcher.memory import MemoryTeller, memory_bytes


def take(megabytes: int) -> mx.array:
    array = mx.zeros(megabytes * 1_000_000, mx.uint8)
    mx.eval(array)
    return array


def test_tells_what_has_changed_by_more_than_a_fiftieth():
    kept = [take(100)]
    told: list[int] = []
    teller = MemoryTeller(memory_bytes(), told.append)
    teller.consider()
    kept.append(take(1))
    teller.consider()
    assert told == []

    kept.append(take(10))
    teller.consider()
    teller.consider()
    assert told == [memory_bytes()]

    kept.clear()
    mx.clear_cache()
    teller.consider()
    assert told[1:] == [memory_bytes()]
    assert told[1] < 20_000_000

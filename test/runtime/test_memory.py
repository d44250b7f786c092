import mlx.core as mx

from launcher.model import memory_bytes
from launcher.service import MemoryReporter


def allocate(megabytes: int) -> mx.array:
    array = mx.zeros(megabytes * 1_000_000, mx.uint8)
    mx.eval(array)
    return array


def test_memory_is_reported_when_it_changes_by_more_than_two_percent():
    kept = [allocate(100)]
    reported: list[int] = []
    reporter = MemoryReporter(memory_bytes(), reported.append)
    reporter.report_if_changed()
    kept.append(allocate(1))
    reporter.report_if_changed()
    assert reported == []

    kept.append(allocate(10))
    reporter.report_if_changed()
    reporter.report_if_changed()
    assert reported == [memory_bytes()]

    kept.clear()
    mx.clear_cache()
    reporter.report_if_changed()
    assert reported[1:] == [memory_bytes()]
    assert reported[1] < 20_000_000

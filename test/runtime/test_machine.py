import pytest
from machine import python_problem


def reason(system, machine, apple_silicon, version=(3, 11)):
    problem = python_problem(
        system=system, machine=machine, apple_silicon=apple_silicon, version=version
    )
    return problem and (problem.reason, problem.message)


def test_a_native_python_is_accepted():
    assert reason("Darwin", "arm64", True) is None
    assert reason("Linux", "x86_64", False) is None


@pytest.mark.parametrize("machine", ["x86_64", "i386"])
def test_a_python_under_rosetta_is_refused(machine):
    assert reason("Darwin", machine, True) == (
        "wrong_python",
        f"This Python is built for {machine}, and this Mac has an M-series chip.",
    )


def test_an_intel_mac_is_refused():
    assert reason("Darwin", "x86_64", False) == (
        "wrong_python",
        "This Mac has an Intel processor.",
    )


def test_an_old_python_is_refused():
    assert reason("Linux", "x86_64", False, (3, 10)) == (
        "wrong_python",
        "This is Python 3.10; the runtime needs Python 3.11 or later.",
    )

import os
import threading

import pytest

from shared.process import keep_socket, python_problem


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


def test_a_socket_and_its_folder_are_touched_before_macos_removes_them(tmp_path):
    socket = tmp_path / "run" / "s"
    socket.parent.mkdir()
    socket.touch()
    for each in (socket, socket.parent):
        os.utime(each, (0, 0))
    waits = []
    touched = threading.Event()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            touched.set()
            threading.Event().wait()  # a daemon thread may wait forever

    keep_socket(socket, wait)
    assert touched.wait(10)
    assert all(each.stat().st_atime > 0 for each in (socket, socket.parent))
    assert max(waits) < 3 * 24 * 3600 / 2


def test_a_missing_socket_does_not_stop_the_touching(tmp_path):
    waits = []
    touched_twice = threading.Event()

    def wait(_seconds: float) -> None:
        waits.append(None)
        if len(waits) == 3:
            touched_twice.set()
            threading.Event().wait()

    keep_socket(tmp_path / "run" / "s", wait)
    assert touched_twice.wait(10)

"""Starts the real launcher with the demo model, and sends it requests as the gateway does."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

RUNTIME = Path(__file__).parents[2] / "resources/runtime"
sys.path.insert(0, str(RUNTIME))

from runtime_process import RuntimeProcess  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes long; run by `npm run test:long` only")


@pytest.fixture
def start(tmp_path: Path) -> Iterator:
    """Starts runtimes for one test, and stops them after it."""
    started: list[RuntimeProcess] = []

    def start_one(**options) -> RuntimeProcess:
        options.setdefault("socket_path", tmp_path / "run" / "s")
        started.append(RuntimeProcess(**options))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RuntimeProcess]:
    """A runtime shared by all tests that only send it requests."""
    process = RuntimeProcess(socket_path=tmp_path_factory.mktemp("shared") / "run" / "s")
    process.wait_ready()
    yield process
    process.kill()

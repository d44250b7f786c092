import pytest

from launcher.generation_thread import exit_if_gpu_failed
from runtime_process import LAUNCHER

OUT_OF_MEMORY = "[METAL] Command buffer execution failed: Insufficient Memory (00000008)"

# A function that mlx_vlm calls for each step of its batch, and one that it calls for each request.
IN_A_STEP = "ar.GenerationBatch._step"
IN_A_PICTURE = "generation.ResponseGenerator._gpu_embed"

FAIL_IN = """
import sys
sys.path.insert(0, {runtime!r})
from shared.process import set_environment
set_environment()
from mlx_vlm.generate import ar
from mlx_vlm.server import generation

def fail(*args, **kwargs):
    raise RuntimeError({message!r})

{place} = fail
"""


@pytest.fixture
def start_failing(start):
    def start_one(place: str, message: str):
        first = FAIL_IN.format(runtime=str(LAUNCHER.parent), place=place, message=message)
        process = start(first=first)
        process.wait_ready()
        return process

    return start_one


@pytest.mark.parametrize("place", [IN_A_STEP, pytest.param(IN_A_PICTURE, marks=pytest.mark.long)])
def test_a_gpu_failure_ends_the_process(start_failing, place):
    process = start_failing(place, OUT_OF_MEMORY)
    connection = process.send("doomed", max_tokens=5)
    assert process.wait_end() == 1
    connection.close()
    assert any("ERROR launcher The GPU failed" in line for line in process.log)


def test_another_error_of_a_step_leaves_the_process_running(start_failing):
    process = start_failing(IN_A_STEP, "[broadcast_shapes] Shapes cannot be broadcast.")
    _, response = process.post("doomed", max_tokens=5)
    assert b"Shapes cannot be broadcast" in response.read()
    assert process.progress()["active"] == 0


def test_an_error_without_a_gpu_failure_does_not_end_the_process():
    exit_if_gpu_failed(None)
    exit_if_gpu_failed(ValueError("[METAL] no such kernel"))

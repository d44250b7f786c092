import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

from runtime_process import DEADLINE_SECONDS, DEMO, ENDLESS, LAUNCHER, command
from shared.model_folder import weights_bytes

AT_ONCE = 10
"""In seconds. Enough for a busy machine, but much less than a generation takes."""

PARENT = """
import subprocess, sys
subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE).wait()
"""


def seconds_until_end(process) -> tuple[int, float]:
    started = time.monotonic()
    return process.wait_end(), time.monotonic() - started


def begin_endless(process) -> tuple:
    """Starts a generation, and returns after its first token."""
    connection, response = process.post("endless", **ENDLESS)
    assert response.readline().strip()
    return connection, response


def test_reports_loading_and_then_the_models_facts(start):
    process = start()
    assert process.next_line() == {
        "event": "loading",
        "model": str(DEMO),
        "pid": process.process.pid,
    }
    facts = {
        "model_type": "qwen2_vl",
        "context_length": 4096,
        "quantization": "float16",
        "sees_images": True,
    }
    guess = {"calls_tools": True, "thinks": False}
    assert process.next_line() == {"event": "description", **facts, **guess}
    weights = process.next_line()
    assert weights == {"event": "weights", "weights_bytes": weights_bytes(DEMO)}
    assert weights["weights_bytes"] > 1_000_000
    ready = process.next_line()
    assert ready.pop("load_seconds") > 0
    assert ready.pop("memory_bytes") > 1_000_000
    versions = ready.pop("versions")
    assert versions.keys() == {"python", "mlx", "mlx_vlm"}
    assert "messages" in ready.pop("template_names")
    assert ready.pop("template") == {
        "tools": "native",
        "thinking": "none",
        "reasoning_effort": False,
    }
    assert ready.pop("device") in ("cpu", "gpu")
    assert ready == {
        "event": "ready",
        "model": str(DEMO),
        **facts,
        "vocab_size": 1024,
        "media_tokens": [
            "<|image_pad|>",
            "<|video_pad|>",
            "<|vision_end|>",
            "<|vision_pad|>",
            "<|vision_start|>",
        ],
    }


def test_replaces_a_stale_socket_with_a_private_one(start, tmp_path):
    (tmp_path / "run").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "run" / "s"))
    process = start()
    process.next_line()
    with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
        process.connect()  # it is still loading
    while process.next_line()["event"] != "ready":
        pass
    process.connect().close()
    modes = [
        stat.S_IMODE(path.stat().st_mode)
        for path in (process.socket_path.parent, process.socket_path)
    ]
    assert modes == [0o700, 0o600]


def test_does_not_replace_the_socket_of_a_running_runtime(start, runtime):
    fatal = start(socket_path=runtime.socket_path).wait_fatal()
    assert fatal["reason"] == "socket"
    assert runtime.get("/sightglass/progress")[0] == 200


def test_exits_immediately_when_stdin_closes_while_loading(start):
    process = start()
    process.next_line()
    process.process.stdin.close()
    code, seconds = seconds_until_end(process)
    assert code == 0
    assert seconds < AT_ONCE


def test_exits_and_removes_its_socket_when_stdin_closes_while_generating(start):
    process = start()
    process.wait_ready()
    begin_endless(process)
    process.process.stdin.close()
    code, seconds = seconds_until_end(process)
    assert code == 0
    assert seconds < AT_ONCE
    assert not process.socket_path.parent.exists()


def test_exits_when_its_parent_is_killed(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *command(tmp_path / "run" / "s", DEMO)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert '"loading"' in parent.stdout.readline()
    parent.kill()
    killed = time.monotonic()
    parent.stdout.read()  # until the launcher, which has the other end, exits
    assert time.monotonic() - killed < AT_ONCE


def test_removes_the_folder_of_its_socket_when_stopped_early(start, tmp_path):
    folder = tmp_path / "given"
    folder.mkdir(mode=0o700)
    process = start(socket_path=folder / "s")
    process.process.stdin.close()
    process.process.wait(DEADLINE_SECONDS)
    assert not folder.exists()


def test_sigterm_while_loading_exits_immediately(start):
    process = start()
    process.next_line()
    process.process.terminate()
    code, seconds = seconds_until_end(process)
    assert code == -signal.SIGTERM
    assert seconds < AT_ONCE


def test_sigterm_while_generating_exits_cleanly(start):
    process = start()
    process.wait_ready()
    begin_endless(process)
    process.process.terminate()
    code, seconds = seconds_until_end(process)
    assert code == 0
    assert seconds < AT_ONCE
    assert not process.socket_path.exists()
    assert any("Generation cancelled" in line for line in process.log)


def test_ignores_ctrl_c(start):
    process = start()
    process.next_line()
    process.process.send_signal(signal.SIGINT)
    assert process.next_line()["event"] == "description"
    assert process.next_line()["event"] == "weights"
    assert process.next_line()["event"] == "ready"
    process.process.send_signal(signal.SIGINT)
    assert process.progress()["active"] == 0


def test_writes_no_bytecode_if_the_environment_says_so(tmp_path):
    for folder in ("launcher", "shared"):
        source = LAUNCHER.parent / folder
        shutil.copytree(source, tmp_path / folder, ignore=lambda *_: ["__pycache__"])
    arguments = ["--socket", str(tmp_path / "s"), "--model", str(tmp_path / "nowhere")]
    subprocess.run(
        [sys.executable, "-I", str(tmp_path / "launcher"), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    # Python writes the bytecode of __main__ before __main__ runs, unless `-B` is given.
    written = [file.name.split(".")[0] for file in tmp_path.glob("*/__pycache__/*")]
    assert written in ([], ["__main__"])


@pytest.mark.parametrize(
    ("template", "warning"),
    [
        (None, "WARNING launcher This model's folder has no chat template"),
        ("{{ messages[0].role }}", "WARNING launcher This model's chat template cannot show"),
    ],
)
def test_a_model_whose_template_shows_too_little_is_loaded_with_a_warning(
    start, tmp_path, template, warning
):
    model = shutil.copytree(DEMO, tmp_path / "model")
    (model / "tokenizer_config.json").write_text("{}")
    if template is None:
        (model / "chat_template.jinja").unlink()
    else:
        (model / "chat_template.jinja").write_text(template)
    process = start(model=model)
    process.wait_ready()
    process.process.stdin.close()
    process.wait_end()
    assert warning in "".join(process.log)

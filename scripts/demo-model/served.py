"""Evaluates a model through mlx_vlm.server: streaming, concurrent requests, long answers."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from cases import WHAT, Case, all_cases, clean_shapes, draw_scenes
from client import chat, text, user

AT_A_TIME = 8
START_TIMEOUT_S = 120
LONG = {"Count to one hundred.": 400, "Tell me a story.": 400, "Count forever.": 2000}


def measure_served(folder: Path, port: int, log: Path) -> None:
    """Starts the server, asks the questions, prints how many answers are correct, and stops it."""
    with _server(folder, port, log) as base:

        def ask(case: Case, stream: bool = False) -> str:
            return text(chat(base, str(folder), case.messages, stream=stream))

        drawn = draw_scenes(40, "shape", 2000)
        pictures = [Case([user(WHAT, image)], scene.sentence()) for scene, image in drawn]
        texts = [
            case for name, row in all_cases(1).items() if name.startswith("text") for case in row
        ]
        clean = [Case([_as_sent(m) for m in c.messages], c.wanted) for c in clean_shapes()]
        rows = {"drawn shapes": pictures, "clean shapes": clean, "mixed": _mix(clean, texts)}
        for name, cases in rows.items():
            for stream in (False, True):
                began = time.monotonic()
                with ThreadPoolExecutor(AT_A_TIME) as pool:
                    answers = list(pool.map(ask, cases, [stream] * len(cases)))
                right = sum(got == case.wanted for got, case in zip(answers, cases))
                how = f"{AT_A_TIME} at a time{', streamed' if stream else ''}"
                seconds = time.monotonic() - began
                print(f"{name}, {how}: {right} of {len(cases)} in {seconds:.1f} s", flush=True)
        for question, limit in LONG.items():
            reply = chat(base, str(folder), [{"role": "user", "content": question}], False, limit)
            reason = reply[0]["choices"][0]["finish_reason"]
            tokens = reply[0]["usage"]["completion_tokens"]
            print(f"{question} {tokens} tokens, {reason}: ...{text(reply)[-40:]!r}")


@contextmanager
def _server(folder: Path, port: int, log: Path) -> Iterator[str]:
    base, began = f"http://127.0.0.1:{port}", time.monotonic()
    command = ["-P", "-m", "mlx_vlm.server", "--model", str(folder), "--host", "127.0.0.1"]
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, *command, "--port", str(port)], stdout=output, stderr=output
        )
        try:
            while not _is_healthy(base):
                if server.poll() is not None or time.monotonic() - began > START_TIMEOUT_S:
                    raise RuntimeError(f"Expected a healthy server, see {log}.")
                time.sleep(0.1)
            print(f"healthy after {time.monotonic() - began:.1f} s")
            yield base
        finally:
            server.terminate()
            server.wait(20)


def _is_healthy(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/health", timeout=2):
            return True
    except OSError:
        return False


def _as_sent(message: dict) -> dict:
    """A message with its PIL images as data URLs."""
    parts = message["content"]
    said = " ".join(part["text"] for part in parts if part["type"] == "text")
    return user(said, *(part["image"] for part in parts if part["type"] == "image"))


def _mix(pictures: list[Case], texts: list[Case]) -> list[Case]:
    """Alternates questions with and without pictures, so that batches contain both."""
    return [case for pair in zip(pictures, texts) for case in pair]

"""A launcher under test: its events, its log and its HTTP server."""

import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
BUNDLE = os.environ.get("SIGHTGLASS_BUNDLED_RUNTIME")
"""The runtime of a packaged app, to be tested instead of the checkout."""
PYTHON = f"{BUNDLE}/python/bin/python3" if BUNDLE else sys.executable
LAUNCHER = Path(BUNDLE or ROOT / "resources/runtime") / "launcher"
DEMO = ROOT / "resources/models/demo"
DEADLINE_SECONDS = 60
ENDLESS = {"max_tokens": 3500, "logit_bias": {"1018": -1000, "1016": -1000}}
"""A generation that never stops, because its end tokens are impossible."""


RUN_AFTER = """
{first}
import runpy, sys
sys.argv[0] = {launcher!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def command(socket_path: Path, model: Path | str, first: str | None = None) -> list[str]:
    """The command that starts the launcher; `first` is Python code to run in its process first."""
    launcher = [str(LAUNCHER)]
    if first is not None:
        launcher = ["-c", RUN_AFTER.format(first=first, launcher=str(LAUNCHER))]
    arguments = ["--socket", str(socket_path), "--model", str(model)]
    return [PYTHON, "-I", "-B", *launcher, *arguments]


class RuntimeProcess:
    """The launcher as a child process, which is killed if a test hangs."""

    def __init__(
        self, *, socket_path: Path, model: Path | str = DEMO, first: str | None = None
    ) -> None:
        self.socket_path = socket_path
        self.model = str(model)
        self.process = subprocess.Popen(
            command(socket_path, model, first),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self._deadline = threading.Timer(DEADLINE_SECONDS, self.process.kill)
        self._deadline.daemon = True

    def _read_log(self) -> None:
        self.log.extend(self.process.stderr)

    def next_line(self) -> dict:
        """The next event. Nothing else may be on stdout."""
        text = self.process.stdout.readline()
        assert text, f"the launcher ended: {''.join(self.log[-20:])}"
        return json.loads(text)

    def wait_ready(self) -> dict:
        assert self.next_line()["event"] == "loading"
        assert self.next_line()["event"] == "description"
        assert self.next_line()["event"] == "weights"
        ready = self.next_line()
        assert ready["event"] == "ready", ready
        return ready

    def wait_fatal(self) -> dict:
        """The fatal event, which must be the last one before the process exits with code 1."""
        line = self.next_line()
        while line["event"] in ("loading", "description", "weights"):
            line = self.next_line()
        assert line["event"] == "fatal"
        assert self.wait_end() == 1
        return line

    def wait_end(self) -> int:
        """The exit code. Fails if there are further events, except those about sizes."""
        self._deadline.start()
        rest = self.process.stdout.read()
        code = self.process.wait()
        self._deadline.cancel()
        self._reader.join()
        events = {json.loads(line)["event"] for line in rest.splitlines()}
        assert events <= {"description", "weights", "memory"}
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("runtime", timeout=DEADLINE_SECONDS)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(DEADLINE_SECONDS)
        connection.sock.connect(str(self.socket_path))
        return connection

    def get(self, path: str) -> tuple[int, object]:
        connection = self.connect()
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, json.loads(body) if body else None

    def ended(self, request_id: str) -> tuple[int, object]:
        return self.get(f"/sightglass/requests/{request_id}/ended")

    def progress(self) -> dict:
        return self.get("/sightglass/progress")[1]

    def post(
        self, request_id: str | None = None, **parameters
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Sends a chat request, and returns once the response has started."""
        connection = self.send(request_id, **parameters)
        return connection, connection.getresponse()

    def send(self, request_id: str | None = None, **parameters) -> http.client.HTTPConnection:
        headers = {"content-type": "application/json"}
        if request_id is not None:
            headers["x-request-id"] = request_id
        # `context_management: []` keeps mlx_vlm from shortening long conversations.
        body = {
            "model": self.model,
            "stream": True,
            "context_management": [],
            "messages": question(),
            **parameters,
        }
        connection = self.connect()
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        return connection

    def chat(self, request_id: str | None = None, **parameters) -> "Answer":
        connection, response = self.post(request_id, **parameters)
        answer = Answer(response.status)
        body = response.read().decode()
        connection.close()
        if response.status != 200:
            answer.error = json.loads(body)["detail"]
            return answer
        for line in body.splitlines():
            if line.startswith("data: {"):
                answer.add(json.loads(line.removeprefix("data: ")))
        return answer


@dataclass
class Answer:
    """A complete streamed answer."""

    status: int
    text: str = ""
    error: str | None = None
    finish_reason: str | None = None
    logprobs: list[dict] = field(default_factory=list)

    def add(self, chunk: dict) -> None:
        self.error = chunk.get("error", self.error)
        for choice in chunk.get("choices", ()):
            self.text += choice["delta"].get("content") or ""
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            self.logprobs += (choice.get("logprobs") or {}).get("content", [])


def picture(color: str = "red", size: int = 64) -> str:
    """A plain image as a data URL."""
    file = BytesIO()
    Image.new("RGB", (size, size), color).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def question(text: str = "Describe the picture.", *, url: str | None = None) -> list[dict]:
    image = {"type": "image_url", "image_url": {"url": url or picture()}}
    return [{"role": "user", "content": [image, {"type": "text", "text": text}]}]

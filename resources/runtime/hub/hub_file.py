"""One file on its way from the Hub: goes on where it was cut off, and is kept only if its hash is
the one that the repository promises."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from huggingface_hub import constants, file_download, hf_hub_url
from huggingface_hub.file_download import http_get
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers, http_stream_backoff

from hub.hub_errors import is_transient, retry_after, was_rate_limited
from shared.lines import FatalError

HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
CHUNK_BYTES = 256 * 1024
"""huggingface_hub's own 10 MB would be lost by a cut, and be the step of a progress bar."""
FIRST_WAIT_SECONDS = 1
LONGEST_WAIT_SECONDS = 30
GIVE_UP_SECONDS = 600
"""A network that is away for longer is left to the person."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository at one revision. `etag` names its content, as in the Hub's cache: the
    SHA-256 of a large file, git's hash of a small one."""

    repo: str
    revision: str
    path: str
    size: int
    etag: str

    @classmethod
    def of(cls, repo: str, revision: str, file: RepoFile) -> "HubFile":
        """Raises ValueError for what no Hub says: names and hashes become parts of paths."""
        etag = file.blob_id if file.lfs is None else file.lfs.sha256
        if not HASH.fullmatch(etag):
            raise ValueError(f"{file.path} has no hash.")
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{file.path} is outside of the repository.")
        return cls(
            repo, revision, file.path, file.size if file.lfs is None else file.lfs.size, etag
        )

    def here(self, folder: Path) -> Path:
        """Where it lies once it is whole and its hash is right."""
        return folder / self.etag

    def part(self, folder: Path) -> Path:
        return folder / f"{self.etag}.part"

    def has_its_size(self, path: Path) -> bool:
        return path.is_file() and path.stat().st_size == self.size

    def bytes_here(self, folder: Path) -> int:
        if self.here(folder).exists():
            return self.size
        part = self.part(folder)
        return min(part.stat().st_size, self.size) if part.exists() else 0


@dataclass(frozen=True)
class Ears:
    """Who is told of a file on its way. `arrived` gets the bytes that came, less than none when
    they have to come again; `waits` waits, in seconds, for the network. Both throw to end the work.
    """

    arrived: Callable[[int], None]
    waits: Callable[[float, bool], None]
    verifies: Callable[[str], None]


def bring(file: HubFile, folder: Path, token: str | None, ears: Ears) -> None:
    """Twice at most: what came damaged is fetched again, whole. Raises FatalError, or what
    huggingface_hub and the disk raise."""
    for _ in range(2):
        if file.here(folder).exists():
            return
        try:
            patiently(
                lambda: download(file, folder, token, ears), lambda: file.bytes_here(folder), ears
            )
        except OSError as error:
            # http_get's word for a server that sent more or less than it said: the hash will tell.
            if type(error) is not OSError or error.errno is not None:
                raise
        part = file.part(folder)
        ears.verifies(file.path)
        if hash_of(part, file.etag) == file.etag:
            part.rename(file.here(folder))
            return
        ears.arrived(-min(part.stat().st_size, file.size))
        part.unlink()
    raise FatalError(
        "corrupted",
        f"{file.path} was damaged in two downloads: its hash differs from the Hub's.",
        "Try again later, or without a mirror or proxy.",
    )


def download(file: HubFile, folder: Path, token: str | None, ears: Ears) -> None:
    """Adds what is missing of the file to its part."""
    constants.DOWNLOAD_CHUNK_SIZE = CHUNK_BYTES
    # http_get would sleep through five rate limits without a word. `patiently` waits for them.
    file_download.http_stream_backoff = partial(http_stream_backoff, max_retries=0)
    url = hf_hub_url(file.repo, file.path, revision=file.revision)
    with file.part(folder).open("ab") as part:
        if part.tell() > file.size:
            ears.arrived(-file.size)
            part.truncate(0)
        if part.tell() == file.size:
            return
        # Without the expected size: the hash tells more, and over 50 GB http_get would not begin.
        http_get(
            url,
            part,
            resume_size=part.tell(),
            headers=build_hf_headers(token=token),
            displayed_filename=file.path,
            tqdm_class=progress_bar(ears.arrived),
        )


def patiently(work: Callable[[], None], bytes_here: Callable[[], int], ears: Ears) -> None:
    """Tries again while the network is away. huggingface_hub itself gives up after five seconds.
    Its patience is new whenever bytes have come: a long download may be cut many times."""
    wait, waited, had = FIRST_WAIT_SECONDS, 0.0, bytes_here()
    while True:
        try:
            return work()
        except Exception as error:
            if (has := bytes_here()) > had:
                wait, waited, had = FIRST_WAIT_SECONDS, 0.0, has
            asked = retry_after(error)
            pause = wait if asked is None else max(FIRST_WAIT_SECONDS, asked)
            if not is_transient(error) or waited + (asked or 0) >= GIVE_UP_SECONDS:
                raise
            is_limited = was_rate_limited(error)
        ears.waits(pause, is_limited)
        waited += pause
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)


def progress_bar(arrived: Callable[[int], None]) -> type:
    """What http_get takes for a tqdm."""

    class Bar:
        def __init__(self, **_: object) -> None:
            pass

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, count: int) -> None:
            arrived(count)

    return Bar


def hash_of(path: Path, like: str) -> str:
    """SHA-256, or git's SHA-1 of a blob, whichever the other hash is."""
    if len(like) == 64:
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

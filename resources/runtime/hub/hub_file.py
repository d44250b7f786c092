"""Downloads a file from the Hub: resumes it after an interruption, and keeps it only if its hash
matches the repository's."""

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
from hub.progress import Progress
from shared.lines import FatalError

HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
CHUNK_BYTES = 256 * 1024
"""With huggingface_hub's 10 MB, more would be lost when a connection breaks, and progress would be
reported in larger steps."""
MIN_WAIT_SECONDS = 1
MAX_WAIT_SECONDS = 30
GIVE_UP_SECONDS = 600
"""How long to wait for the network before the download fails."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository at one revision. `etag` identifies its content, as in the Hub's cache:
    the SHA-256 of a large file, the git hash of a small one."""

    repo: str
    revision: str
    path: str
    size: int
    etag: str

    @classmethod
    def of(cls, repo: str, revision: str, file: RepoFile) -> "HubFile":
        """Raises ValueError for invalid hashes and names, because they become parts of paths."""
        etag = file.blob_id if file.lfs is None else file.lfs.sha256
        if not HASH.fullmatch(etag):
            raise ValueError(f"{file.path} has no hash.")
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{file.path} is outside of the repository.")
        return cls(
            repo, revision, file.path, file.size if file.lfs is None else file.lfs.size, etag
        )

    def verified_path(self, folder: Path) -> Path:
        """Where the file is once it is complete and verified."""
        return folder / self.etag

    def partial_path(self, folder: Path) -> Path:
        return folder / f"{self.etag}.part"

    def has_expected_size(self, path: Path) -> bool:
        return path.is_file() and path.stat().st_size == self.size

    def downloaded_bytes(self, folder: Path) -> int:
        if self.verified_path(folder).exists():
            return self.size
        part = self.partial_path(folder)
        return min(part.stat().st_size, self.size) if part.exists() else 0


def download_verified(file: HubFile, folder: Path, token: str | None, progress: Progress) -> None:
    """Downloads a file, and once more if it was damaged. Raises FatalError if it is damaged again,
    and the errors of huggingface_hub and the disk."""
    for _ in range(2):
        if file.verified_path(folder).exists():
            return
        try:
            with_retries(
                lambda: download(file, folder, token, progress),
                lambda: file.downloaded_bytes(folder),
                progress,
            )
        except OSError as error:
            # http_get raises it if the server sent more or less than announced. The hash decides.
            if type(error) is not OSError or error.errno is not None:
                raise
        part = file.partial_path(folder)
        progress.report_verifying(file.path)
        if hash_file(part, file.etag) == file.etag:
            part.rename(file.verified_path(folder))
            return
        progress.add(-min(part.stat().st_size, file.size))
        part.unlink()
    raise FatalError(
        "corrupted",
        f"{file.path} was damaged in two downloads: its hash does not match the Hub's.",
        "Try again later, or without a mirror or proxy.",
    )


def download(file: HubFile, folder: Path, token: str | None, progress: Progress) -> None:
    """Appends the missing bytes to the partial file."""
    constants.DOWNLOAD_CHUNK_SIZE = CHUNK_BYTES
    # http_get would wait for up to five rate limits without reporting it. `with_retries` does.
    file_download.http_stream_backoff = partial(http_stream_backoff, max_retries=0)
    url = hf_hub_url(file.repo, file.path, revision=file.revision)
    with file.partial_path(folder).open("ab") as part:
        if part.tell() > file.size:
            progress.add(-file.size)
            part.truncate(0)
        if part.tell() == file.size:
            return
        # No expected size: the hash is checked anyway, and http_get refuses more than 50 GB.
        http_get(
            url,
            part,
            resume_size=part.tell(),
            headers=build_hf_headers(token=token),
            displayed_filename=file.path,
            tqdm_class=progress_bar(progress.add),
        )


def with_retries(
    work: Callable[[], None], downloaded_bytes: Callable[[], int], progress: Progress
) -> None:
    """Retries while the network is down; huggingface_hub gives up after five seconds. The limit
    starts again whenever bytes arrive, so a long download may be interrupted many times."""
    wait, waited, had = MIN_WAIT_SECONDS, 0.0, downloaded_bytes()
    while True:
        try:
            return work()
        except Exception as error:
            if (has := downloaded_bytes()) > had:
                wait, waited, had = MIN_WAIT_SECONDS, 0.0, has
            requested = retry_after(error)
            pause = wait if requested is None else max(MIN_WAIT_SECONDS, requested)
            if not is_transient(error) or waited + (requested or 0) >= GIVE_UP_SECONDS:
                raise
            is_limited = was_rate_limited(error)
        progress.wait(pause, is_rate_limited=is_limited)
        waited += pause
        wait = min(2 * wait, MAX_WAIT_SECONDS)


def progress_bar(add: Callable[[int], None]) -> type:
    """A replacement for tqdm, as http_get uses it."""

    class Bar:
        def __init__(self, **_: object) -> None:
            pass

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, count: int) -> None:
            add(count)

    return Bar


def hash_file(path: Path, like: str) -> str:
    """The SHA-256 or the git blob SHA-1 of a file, the same kind as the hash `like`."""
    if len(like) == 64:
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

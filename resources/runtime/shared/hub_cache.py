"""Finds models in the cache of huggingface_hub. Never uses the network."""

import contextlib
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import IncompleteSnapshotError, LocalEntryNotFoundError
from huggingface_hub.file_download import repo_folder_name

from shared.lines import FatalError
from shared.model_folder import unreadable

MODEL_FILES = [
    "*.json",
    "*.jsonl",
    "*.safetensors",
    "*.py",
    "*.model",
    "*.tiktoken",
    "*.txt",
    "*.jinja",
]
"""The files of a repository that mlx_vlm uses (`get_model_path` in mlx_vlm/utils.py)."""

UNFINISHED = "sightglass-download"
"""The folder of a download in its repository, until it is complete. `server/models` lists them."""

DOT_FILES = [".*", "*/.*"]
"""Files that macOS adds, and that were uploaded by accident."""


def cached_folder(name: str) -> Path:
    """The folder of the newest complete download. Raises FatalError if there is none."""
    remedy = f"Download it in the app, or with `sightglass models fetch {name}`."
    try:
        folder = _snapshot(name)
    except IncompleteSnapshotError as error:
        message = f"The download of {name} is not complete."
        raise FatalError("model_incomplete", message, remedy) from error
    except PermissionError as error:
        raise unreadable(error) from error
    except (LocalEntryNotFoundError, OSError) as error:
        message = f"{name} is neither a folder nor a downloaded model."
        raise FatalError("model_not_found", message, remedy) from error
    return Path(folder)


def _snapshot(name: str) -> str:
    """The snapshot of the main branch, or else the latest one of another branch, a tag or a commit,
    because the cache may have no `refs/main`. `server/models/places.ts` lists the same."""
    try:
        return _complete(name, None)
    except IncompleteSnapshotError:
        raise
    except LocalEntryNotFoundError:
        for commit in _commits(name):
            with contextlib.suppress(LocalEntryNotFoundError):
                return _complete(name, commit)
        raise


def _complete(name: str, revision: str | None) -> str:
    return snapshot_download(
        name,
        revision=revision,
        local_files_only=True,
        allow_patterns=MODEL_FILES,
        ignore_patterns=DOT_FILES,
    )


def _commits(name: str) -> list[str]:
    """The commits of the branches and tags in the cache, the latest first. Without any, those of
    the snapshots, unless our own download is incomplete: it writes its reference last."""
    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model")
    if refs := [each for each in (folder / "refs").rglob("*") if each.is_file()]:
        return [each.read_text("utf-8").strip() for each in _latest_first(refs)]
    if (folder / UNFINISHED).exists():
        return []
    snapshots = [each for each in folder.glob("snapshots/[!.]*") if each.is_dir()]
    return [each.name for each in _latest_first(snapshots)]


def _latest_first(paths: list[Path]) -> list[Path]:
    return sorted(paths, key=lambda each: -each.stat().st_mtime)

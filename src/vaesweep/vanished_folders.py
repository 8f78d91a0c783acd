"""The folders that this process runs in: whether one was deleted or moved meanwhile."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OCCUPIED: dict[Path, tuple[int, int]] = {}
"""The folders that this process runs in, and what each was when it came: its device and inode."""


@contextmanager
def occupied(folder: Path) -> Iterator[None]:
    """While this process runs in `folder`: `atomically` refuses to create it anew when it has been deleted."""
    resolved = Path(os.path.realpath(folder))
    OCCUPIED[resolved] = identity(resolved)
    try:
        yield
    finally:
        OCCUPIED.pop(resolved, None)


def is_gone(path: Path) -> bool:
    """Whether `path` is in the folder of a run of this process, or is it, and that was deleted or moved."""
    resolved = Path(os.path.realpath(path))
    return any(
        folder in (resolved, *resolved.parents) and identity(folder) != before for folder, before in OCCUPIED.items()
    )


def identity(folder: Path) -> tuple[int, int]:
    """What tells a folder from another one of its name; zeros where there is none."""
    try:
        status = folder.stat()
    except OSError:
        return 0, 0
    return status.st_dev, status.st_ino

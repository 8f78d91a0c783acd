"""Writes files whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vaesweep.vanished_folders import is_gone

PART = ".part"
"""What the name of a file ends with until it is whole."""


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """Yield a file name to write to, renamed to `path` if the block raises nothing; create the folder if missing.

    What was written is on the disk before the name is, so that a power cut leaves the old file or the new one. Raises
    FileNotFoundError where the folder of a run is gone, see `vanished_folders`.
    """
    if is_gone(path):
        raise FileNotFoundError(errno.ENOENT, "deleted or moved during the run", str(path))
    is_new_folder = not path.parent.is_dir()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}{PART}")
    try:
        yield unfinished
        sync(unfinished)
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # not every file system can do it for a folder
        sync(path.parent)
        if is_new_folder:
            sync(path.parent.parent)


def sync(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_unfinished(folder: Path) -> None:
    """Remove the files in `folder`, and in the folders in it, that a process which was killed left unfinished."""
    for pattern in (f"*{PART}", f"*/*{PART}"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)

"""Locks the folders of runs, so that one process at a time runs in each."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from vaesweep.atomic_files import remove_unfinished
from vaesweep.errors import ConfigError, system_message
from vaesweep.vanished_folders import occupied

LOCK_SECONDS = 60
"""Seconds to wait for another process to leave the run's folder."""


@contextmanager
def lock_run_dirs(folders: Sequence[Path]) -> Iterator[None]:
    """While no other process runs in the folders. What one that was killed left unfinished there is removed.

    Raises `ConfigError` when another process runs in one of them, or when nothing can be written there.
    """
    with ExitStack() as locks:
        for folder in folders:
            locks.enter_context(lock(folder))
            locks.enter_context(occupied(folder))
            remove_unfinished(folder)
        yield


def lock(folder: Path) -> AbstractContextManager[object]:
    """The lock of a run's folder, acquired. Raises `ConfigError`, see `lock_run_dirs`."""
    file = folder / ".lock"
    try:
        # asked first, because FileLock takes a file that it may not open for one that another process holds
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o644))
        # an orphan of a launcher that was killed takes a moment to stop
        return FileLock(file).acquire(timeout=LOCK_SECONDS)
    except Timeout:
        given = f"{folder} while another process runs in it"
        raise ConfigError("folder", given, "one process at a time") from None
    except (OSError, NotImplementedError) as error:  # the latter on file systems without locks
        given = f"{folder}, where {file.name} cannot be written ({system_message(error)})"
        raise ConfigError("folder", given, "a folder that can be written to") from None

"""search.journal: the trials of a search as optuna keeps them, in the folder of its study."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from vaesweep.errors import ConfigError

if TYPE_CHECKING:
    import optuna

JOURNAL = "search.journal"


def open_journal(folder: Path) -> "optuna.storages.JournalStorage":
    """The journal in the folder of a study, new where there is none, without a last line that was cut.

    Raises `ConfigError` for one that is damaged elsewhere.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = folder / JOURNAL
    lock = JournalFileSymlinkLock(str(path))
    lock.acquire()  # nobody writes meanwhile: a line without an end is what a process left that is no more
    try:
        cut_last_line(path)
        check_lines(path)
        return JournalStorage(JournalFileBackend(str(path), lock))
    except (ValueError, KeyError, TypeError):
        allowed = "the lines that a search wrote; or search in another folder"
        raise ConfigError(str(path), "a damaged line", allowed) from None
    finally:
        lock.release()


def check_lines(path: Path) -> None:
    """Raises ValueError for a line that cannot be read, and for a first line that begins no search."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
    if lines and "study_name" not in lines[0]:
        raise ValueError("no search begins with this line")


def cut_last_line(path: Path) -> None:
    """Take a last line off that does not end."""
    if path.exists() and not (lines := path.read_bytes()).endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(lines.rfind(b"\n") + 1)

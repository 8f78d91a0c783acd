"""search.journal: the trials of a search as optuna keeps them, in the folder of its study."""

from pathlib import Path
from typing import TYPE_CHECKING

from vaesweep.errors import ConfigError

if TYPE_CHECKING:
    import optuna

JOURNAL = "search.journal"


def open_journal(folder: Path) -> "optuna.storages.JournalStorage":
    """The journal in the folder of a study, new where there is none. Raises `ConfigError` without optuna."""
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        allowed = "pip install -e '.[search]' first"
        raise ConfigError("hydra/sweeper", "optuna without its package", allowed) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return JournalStorage(JournalFileBackend(str(folder / JOURNAL)))

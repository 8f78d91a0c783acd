"""Runs an entry script: prints errors in one line, makes the current folder importable."""

import atexit
import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from multiprocessing import parent_process
from pathlib import Path
from textwrap import shorten
from typing import Any, NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from vaesweep.errors import ConfigError, DivergenceError, UnforeseenError, reason
from vaesweep.settings.error_lines import one_line
from vaesweep.settings.instantiate import add_import_path
from vaesweep.stop_signals import follow_parent

USER_ERRORS = (ConfigError, DivergenceError, HydraException, OmegaConfBaseException, UnforeseenError)
"""Errors that a user can correct without reading our code, and those that are in a log already."""
LINE_LENGTH = 500
"""Characters of the message of an error of others."""
ERROR_LOG = "error.log"
"""The file in the folder of a run with the traceback of an error that no check foresaw."""
STUDIES: dict[Path, None] = {}
"""Folders of the studies that this process ran jobs of."""
# read once and passed on to child processes, because `launch` sets HYDRA_FULL_ERROR to 1 for all of them
TRACEBACKS = os.environ.setdefault("VAESWEEP_TRACEBACKS", os.environ.get("HYDRA_FULL_ERROR", "0")) == "1"


def launch(
    main: Callable[[], Any],
    expand: Callable[[list[str]], list[str]] = list,
    conclude_study: Callable[[Path], None] = lambda study: None,
) -> None:
    """Run a Hydra `main` on the command line, after `expand` has rewritten it.

    `conclude_study` is called with the folder of a study when its jobs have run, whether or not some of them failed.
    Models, data and measures of the current folder can be imported. An error is printed in one line on standard error,
    with exit code 1; the traceback of one that no check foresaw goes to a file that the line names. With
    HYDRA_FULL_ERROR=1 in the environment errors keep their tracebacks.
    """
    limit_spinning()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that Hydra raises its errors instead of printing them
    follow_parent()
    add_import_path(os.getcwd())
    try:
        sys.argv = expand(sys.argv)
        try:
            main()
        except Exception:
            conclude(conclude_study)
            raise
        conclude(conclude_study)
    except Exception as error:
        exit_with(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def limit_spinning() -> None:
    """Have torch's threads wait for each other in a loop for a shorter time; to be called before torch is imported.

    They do it for longer than a step takes where another process has their core: an epoch of MNIST on two cores beside
    a busy process takes 4.8 s with this limit and 7.9 s without, alone 2.3 s.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def exit_at_once(code: int = 0) -> NoReturn:
    """End this process with exit code `code` without taking its modules apart, which takes seconds for those of torch.

    As `sys.exit` does, it waits for threads, calls what is registered with `atexit` and writes what was printed. In a
    process of `multiprocessing`, which ends like this by itself, it is `sys.exit`.
    """
    if parent_process():
        sys.exit(code)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def conclude(conclude_study: Callable[[Path], None]) -> None:
    """Call `conclude_study` where jobs of a study have run."""
    remember_study()
    for study in STUDIES:
        conclude_study(study)


def remember_study() -> None:
    """Add the folder of the study that Hydra is running jobs of, if it is, to `STUDIES`."""
    if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        STUDIES[Path(HydraConfig.get().sweep.dir)] = None


def run_as_hydra_job(run: Callable[[DictConfig], Any], config: DictConfig) -> Any:
    """Call `run(config)` as a Hydra job; in a sweep errors are raised, so that the other jobs go on."""
    remember_study()  # now, because Hydra forgets it after every job that runs in this process
    try:
        return run(config)
    except Exception as error:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            raise error if TRACEBACKS else in_one_line(error) from None
        exit_with(error)  # here, because Hydra adds a line of its own to an error that reaches it


def exit_with(error: Exception) -> NoReturn:
    """Exit with the error's one line, or raise it if tracebacks are wanted."""
    if TRACEBACKS:
        raise error
    sys.exit(f"error: {one_line(in_one_line(error))}")


def in_one_line(error: Exception) -> Exception:
    """`error` if a user can correct it; any other as an `UnforeseenError`, after its traceback is written to a file."""
    if isinstance(error, USER_ERRORS):
        return error
    if isinstance(error, OSError) and (key := key_of_unmade_folder(error)):
        given = f"{error.filename}, which cannot be created ({error.strerror})"
        return ConfigError(key, given, "a folder that can be written to")
    return UnforeseenError(f"{shorten(reason(error), LINE_LENGTH)} (traceback: {write_traceback(error)})")


def key_of_unmade_folder(error: OSError) -> str | None:
    """The setting of the folder that Hydra could not make for a run or a study; None for another error."""
    functions = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    if functions[-1] not in ("mkdir", "makedirs") or run_as_hydra_job.__name__ in functions:
        return None
    return "hydra.sweep.dir" if "multirun" in functions else "hydra.run.dir"


def write_traceback(error: Exception) -> str:
    """Append the traceback to `ERROR_LOG` in the folder of the run, or to a new file where there is none; its path."""
    text = "".join(traceback.format_exception(error))
    folder = Path(HydraConfig.get().runtime.output_dir) if HydraConfig.initialized() else None
    try:
        if folder and folder.is_dir():
            with (folder / ERROR_LOG).open("a") as file:
                file.write(text)
            return os.path.relpath(folder / ERROR_LOG)
        with tempfile.NamedTemporaryFile("w", prefix="vaesweep_", suffix=".log", delete=False) as file:
            file.write(text)
            return file.name
    except OSError as problem:  # a full disk, for example
        return f"not written, {problem}; HYDRA_FULL_ERROR=1 shows it"

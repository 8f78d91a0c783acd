"""Measures several runs, in several processes where that is quicker."""

import os
import signal
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path

import torch
from omegaconf import DictConfig
from rich import get_console
from rich.progress import Progress

from vaesweep.data import ImageDataModule
from vaesweep.evaluation.device import chosen_device
from vaesweep.evaluation.evaluation_settings import parse_folders
from vaesweep.evaluation.measure_runs import error_line, measure
from vaesweep.report.run_collection import read
from vaesweep.settings.check_arguments import check_int
from vaesweep.settings.cpu_processes import cores, default_processes
from vaesweep.settings.instantiate import add_import_path
from vaesweep.settings.literal_folders import escape
from vaesweep.stop_signals import stop_after

START_SECONDS = 20.0
"""Seconds that processes have to save to be started: each imports torch and loads the data."""
LOADED: dict[str, ImageDataModule] = {}
"""The data that this process has loaded, by their settings."""


def measure_all(config: DictConfig) -> list[str]:
    """`measure` with `n_jobs` processes at a time for all runs but the first, if that saves time by the first's.

    Raises `ConfigError` for settings with which no measure can start.
    """
    collection = read(parse_folders(config.run))
    folders = list(dict.fromkeys(run.folder.resolve() for run in collection.runs))
    first, others = folders[:1], folders[1:]
    processes = min(number_of_processes(config), len(others))
    if processes < 2:
        return measure(config)
    start, loaded = time.monotonic(), dict[str, ImageDataModule]()
    problems = [*collection.warnings, *measure(config_for(config, first), loaded)]
    saved = (time.monotonic() - start) * len(others) * (1 - 1 / processes)
    if saved < START_SECONDS:
        problems += measure(config_for(config, others), loaded)
    else:
        problems += measure_in_processes(config, others, processes)
    return list(dict.fromkeys(problems))


def number_of_processes(config: DictConfig) -> int:
    """`n_jobs`; without it one a core on a CPU, up to a limit, and one on a GPU. Raises `ConfigError`."""
    if config.n_jobs is not None:
        return check_int("n_jobs", config.n_jobs)
    return default_processes() if chosen_device(config.device) == "cpu" else 1


def config_for(config: DictConfig, folders: Sequence[Path]) -> DictConfig:
    """The same evaluation of the runs in `folders`."""
    of_folders = config.copy()
    of_folders.run = [escape(str(folder)) for folder in folders]
    return of_folders


def measure_in_processes(config: DictConfig, folders: Sequence[Path], processes: int) -> list[str]:
    """`measure` the runs in `folders`, several at a time; problems as lines, in the order of the folders.

    A process that is killed costs the runs that are not measured yet.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([measure.__module__])
    settings = max(1, cores() // processes), os.getcwd()
    executor = ProcessPoolExecutor(processes, context, begin_process, settings)
    killed = "a process was killed (out of memory?): n_jobs=1 takes the least"
    problems: dict[Path, list[str]] = {}
    try:
        futures: dict[Future[list[str]], Path] = {
            executor.submit(measure_alone, config_for(config, [folder])): folder for folder in folders
        }
        with Progress(transient=True, disable=not get_console().is_terminal) as progress:
            for future in progress.track(as_completed(futures), len(futures), description="runs"):
                folder = futures[future]
                try:
                    problems[folder] = future.result()
                except BrokenProcessPool:
                    problems[folder] = [f"{folder.name}: {killed}"]
                except Exception as error:
                    problems[folder] = [error_line(error, folder.name)]
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in active_children():
            process.terminate()
        raise
    executor.shutdown()
    return [problem for folder in folders for problem in problems[folder]]


def begin_process(threads: int, folder: str) -> None:
    """Prepare a process to measure with `threads` and with parts in `folder`; it ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches all processes, and the first one says so
    torch.set_num_threads(threads)
    add_import_path(folder)
    if parent := parent_process():
        stop_after(parent.join)


def measure_alone(config: DictConfig) -> list[str]:
    """`measure` in a process that is one of several."""
    return measure(config, LOADED, quiet=True)

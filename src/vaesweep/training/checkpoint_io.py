"""Writes and reads checkpoints for Lightning: each whole, not too often, with paths that can be moved."""

import copy
import io
import os
import pickle
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from vaesweep.atomic_files import atomically
from vaesweep.errors import ConfigError
from vaesweep.training.load_checkpoint import PARTS, read_checkpoint

PATHS = ("dirpath", "best_model_path", "kth_best_model_path", "last_model_path")
"""What the state of a ModelCheckpoint callback names files and folders by, beside `best_k_models`."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints at most every `seconds`, each under another name that is then changed to its own.

    One that comes sooner is kept in memory until the next is written, or until training ends, whatever ends it: in a
    run of short epochs the files would take longer than the steps. Those of one step are written together. What was
    saved earlier is written earlier, so that no file names a best checkpoint that is not there yet. Paths that
    callbacks keep in a checkpoint are relative to its folder, so that the folder of a run can be moved.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.unwritten: dict[Path, dict[str, Any]] = {}
        self.latest = time.monotonic(), -1
        """When files were written, and the training step that they were of."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        path, (when, step) = Path(path), self.latest
        self.unwritten.pop(path, None)  # for the order to be that of the latest
        if time.monotonic() < when + self.seconds and checkpoint["global_step"] != step:
            self.unwritten[path] = copied(checkpoint)  # training goes on in these tensors
        else:
            self.unwritten[path] = checkpoint
            self.write_all()
            self.latest = time.monotonic(), checkpoint["global_step"]

    def write_all(self) -> None:
        """Write what was kept in memory."""
        while self.unwritten:
            path = next(iter(self.unwritten))
            self.write(self.unwritten.pop(path), path)

    def write(self, checkpoint: dict[str, Any], path: Path) -> None:
        """Write one checkpoint."""
        check_readable(checkpoint.get("callbacks", {}))
        folder, content = os.path.dirname(os.path.realpath(path)), io.BytesIO()
        torch.save(map_paths(checkpoint, lambda path: relative(path, folder)), content)
        with atomically(path) as unfinished:
            unfinished.write_bytes(content.getbuffer())

    def teardown(self) -> None:
        self.write_all()

    def remove_checkpoint(self, path: Any) -> None:
        self.unwritten.pop(Path(path), None)
        super().remove_checkpoint(path)

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = None) -> dict[str, Any]:
        folder = os.path.dirname(os.path.realpath(path))
        checkpoint = read_checkpoint("resume", path, map_location, PARTS)
        return map_paths(checkpoint, lambda path: os.path.normpath(os.path.join(folder, path)))


def check_readable(states: Mapping[str, Any]) -> None:
    """Refuse the state of a callback that a checkpoint can hold and that cannot be read from it safely.

    Raises `ConfigError`: of the whole checkpoint it would be known when the run is resumed.
    """
    for name, state in states.items():
        content = io.BytesIO()
        torch.save(state, content)
        content.seek(0)
        try:
            torch.load(content, weights_only=True)
        except pickle.UnpicklingError as error:
            kinds = sorted({type(value).__name__ for value in state.values()}) if isinstance(state, Mapping) else []
            given = f"{name.split('{')[0]} with values of type {', '.join(kinds) or type(state).__name__} in its state"
            allowed = "a state_dict of tensors, Python's own numbers, text, lists and dicts"
            raise ConfigError("callbacks", given, allowed) from error


def copied(value: Any) -> Any:
    """A copy of a checkpoint or of a value in it.

    It is quicker than `copy.deepcopy`, which keeps account of what is shared, and is left what is rare in one.
    """
    kind = type(value)
    if kind is torch.Tensor:
        return value.detach().clone()
    if kind in (dict, OrderedDict):
        own = copy.copy(value)  # with the attributes that a state_dict has
        own.update((key, copied(inner)) for key, inner in value.items())
        return own
    if kind in (list, tuple):
        return kind(map(copied, value))
    return value if kind in (int, float, bool, str, type(None)) else copy.deepcopy(value)


def map_paths(checkpoint: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The checkpoint with `change` made to the paths in the states of ModelCheckpoint callbacks."""
    states = {}
    for name, state in checkpoint.get("callbacks", {}).items():
        if isinstance(state, Mapping) and "dirpath" in state:
            paths = {key: change(state[key]) for key in state if key in PATHS and state[key]}
            scores = {change(path): score for path, score in state.get("best_k_models", {}).items()}
            state = {**state, **paths, "best_k_models": scores}
        states[name] = state
    return {**checkpoint, "callbacks": states}


def relative(path: str, folder: str) -> str:
    """`path` as seen from `folder`, where it is in that or beside it; any other path as it is."""
    resolved = os.path.realpath(path)
    is_near = os.path.commonpath([resolved, folder]) in (folder, os.path.dirname(folder))
    return os.path.relpath(resolved, folder) if is_near else path

"""Checkpoints that are whole or not there, and those of a stack: one file a member, as if it had been alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from vaesweep.files import atomically
from vaesweep.seat import Seat

CHECKPOINT = Path("checkpoints/last.ckpt")
STACKED, ALONE = "member.one.", "member."
"""What the names of weights start with."""
RATES = ("base_lrs", "_last_lr")
"""What a scheduler has one of for each group of the optimizer."""


class Whole(TorchCheckpointIO):
    """Lightning's own pass through the temporary folder, and may be cut."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        with atomically(Path(path)) as unfinished:
            super().save_checkpoint(checkpoint, unfinished, storage_options)


class Unstacked(Whole):
    """Writes the checkpoint of a stack as its members', and reads theirs as the stack's.

    `stretches` are the slices of `seats` that share groups of the optimizer. A seat given as `storage_options` alone
    is written, to the path; otherwise each that is not left out, to CHECKPOINT in its folder. The clock in a member's
    checkpoint shows its share of the time.
    """

    def __init__(self, seats: Sequence[Seat], stretches: Sequence[slice]) -> None:
        self.seats, self.stretches = seats, stretches

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        for index, seat in enumerate(self.seats):
            if storage_options is seat or (storage_options is None and seat.taken):
                own = row(checkpoint, index, self.stretches)
                shared = timed(checkpoint["callbacks"], 1 / len(self.seats))
                own["callbacks"] = shared | seat.callback_states()
                try:
                    super().save_checkpoint(own, path if storage_options else seat.folder / CHECKPOINT)
                except OSError as error:  # a full disk, where the others may still find room
                    if storage_options:
                        raise
                    seat.account.failure = error

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        every = [
            super(Unstacked, self).load_checkpoint(seat.folder / CHECKPOINT, map_location, weights_only)
            for seat in self.seats
        ]
        own = self.seats[0].callback_states()
        shared = {key: state for key, state in every[0]["callbacks"].items() if key not in own}
        return rows(every, self.stretches) | {
            "callbacks": timed(shared, len(self.seats)) | {"Members": [checkpoint["callbacks"] for checkpoint in every]}
        }


def timed(callbacks: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """States of callbacks with the clock set to `factor` times what it shows."""
    shown = callbacks.get("Timer", {}).get("time_elapsed", {})
    clock = {"Timer": {"time_elapsed": {stage: seconds * factor for stage, seconds in shown.items()}}}
    return {**callbacks, **(clock if shown else {})}


def row(checkpoint: Mapping[str, Any], index: int, stretches: Sequence[slice]) -> dict[str, Any]:
    """Member `index`'s part of a stack's checkpoint, as that of an experiment of its own."""
    k = next(k for k, stretch in enumerate(stretches) if stretch.start <= index < stretch.stop)
    weights = checkpoint["state_dict"].items()
    return {
        **checkpoint,
        "state_dict": {name.replace(STACKED, ALONE, 1): tensor[index].clone() for name, tensor in weights},
        "optimizer_states": [
            own_groups(state, k, index - stretches[k].start, len(stretches)) for state in checkpoint["optimizer_states"]
        ],
        "lr_schedulers": [schedule(state, k, len(stretches)) for state in checkpoint["lr_schedulers"]],
        "accounts": [checkpoint["accounts"][index]],
    }


def rows(checkpoints: Sequence[Mapping[str, Any]], stretches: Sequence[slice]) -> dict[str, Any]:
    """The stack's checkpoint, of which each of `checkpoints` is a `row`."""
    first = checkpoints[0]
    firsts = [checkpoints[stretch.start] for stretch in stretches]
    return {
        **first,
        "state_dict": {
            name.replace(ALONE, STACKED, 1): torch.stack([own["state_dict"][name] for own in checkpoints])
            for name in first["state_dict"]
        },
        "optimizer_states": [
            all_groups([[own["optimizer_states"][n] for own in checkpoints[stretch]] for stretch in stretches])
            for n in range(len(first["optimizer_states"]))
        ],
        "lr_schedulers": [
            state | {key: [rate for own in firsts for rate in own["lr_schedulers"][n][key]] for key in RATES}
            for n, state in enumerate(first["lr_schedulers"])
        ],
        "accounts": [own["accounts"][0] for own in checkpoints],
    }


def own_groups(state: Mapping[str, Any], k: int, within: int, stretches: int) -> dict[str, Any]:
    """The optimizer's groups of stretch `k`, and of their states the row `within` it."""
    each = len(state["param_groups"]) // stretches
    groups = state["param_groups"][k * each : (k + 1) * each]
    numbers = [number for group in groups for number in group["params"]]
    renamed = {number: place for place, number in enumerate(numbers)}
    return {
        "state": {
            renamed[number]: {key: (value if key == "step" else value[within]).clone() for key, value in own.items()}
            for number, own in state["state"].items()
            if number in renamed
        },
        "param_groups": [group | {"params": [renamed[number] for number in group["params"]]} for group in groups],
    }


def all_groups(states: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The stack's optimizer from its members', by stretch."""
    together: dict[str, Any] = {"state": {}, "param_groups": []}
    start = 0
    for members in states:
        first = members[0]
        for number, own in first["state"].items():
            together["state"][start + number] = {
                key: value if key == "step" else torch.stack([member["state"][number][key] for member in members])
                for key, value in own.items()
            }
        for group in first["param_groups"]:
            together["param_groups"].append(group | {"params": [start + number for number in group["params"]]})
        start += sum(len(group["params"]) for group in first["param_groups"])
    return together


def schedule(state: Mapping[str, Any], k: int, stretches: int) -> dict[str, Any]:
    """A scheduler's state, of whose rates those of stretch `k` are kept."""
    own = {}
    for key in RATES:
        each = len(state[key]) // stretches
        own[key] = state[key][k * each : (k + 1) * each]
    return {**state, **own}

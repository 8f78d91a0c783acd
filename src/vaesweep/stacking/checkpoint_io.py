"""A stack's checkpoint as those of its members: one file a member, as if it had been trained alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from vaesweep.stacking.trainer_view import MemberTrainerView
from vaesweep.training.checkpoint_io import AtomicCheckpointIO
from vaesweep.training.load_checkpoint import CHECKPOINT

STACK_PREFIX, MODEL_PREFIX = "model.template.", "model."
"""What the names of weights start with, in a stack's checkpoint and in that of a run."""
PER_GROUP_KEYS = ("base_lrs", "_last_lr")
"""What a scheduler has one of for each group of the optimizer."""


class PerMemberCheckpointIO(AtomicCheckpointIO):
    """Writes the checkpoint of a stack as its members', and reads theirs as the stack's.

    `slices` are those of `views` that share groups of the optimizer. A view given as `storage_options` alone is
    written, to the path; otherwise every active one, to CHECKPOINT in its folder. The clock in a member's checkpoint
    shows its share of the time. A member whose file cannot be written is dropped.
    """

    def __init__(self, views: Sequence[MemberTrainerView], slices: Sequence[slice], seconds: float = 0.0) -> None:
        super().__init__(seconds)
        self.views, self.slices = views, slices

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        for index, view in enumerate(self.views):
            if storage_options is view or (storage_options is None and view.is_active):
                part = split_checkpoint(checkpoint, index, self.slices)
                if "callbacks" in part:
                    shared = scale_timer(checkpoint["callbacks"], 1 / len(self.views))
                    part["callbacks"] = shared | view.callback_states()
                super().save_checkpoint(part, path if storage_options else view.folder / CHECKPOINT)

    def write(self, checkpoint: dict[str, Any], path: Path) -> None:
        try:
            super().write(checkpoint, path)
        except OSError as error:  # a full disk, where the others may still find room
            view = next(view for view in self.views if path.is_relative_to(view.folder))
            if view.is_active:
                view.failure, view.epochs = error, checkpoint["epoch"]
            if not any(view.is_active for view in self.views):
                raise

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        load = super().load_checkpoint
        parts = [load(view.folder / CHECKPOINT, map_location, weights_only) for view in self.views]
        of_members = self.views[0].callback_states()
        shared = {key: state for key, state in parts[0]["callbacks"].items() if key not in of_members}
        states = {"MemberCallbacks": [part["callbacks"] for part in parts]}
        return merge_checkpoints(parts, self.slices) | {"callbacks": scale_timer(shared, len(self.views)) | states}


def scale_timer(callbacks: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """States of callbacks with the clock set to `factor` times what it shows."""
    times = callbacks.get("Timer", {}).get("time_elapsed", {})
    clock = {"Timer": {"time_elapsed": {stage: seconds * factor for stage, seconds in times.items()}}}
    return {**callbacks, **(clock if times else {})}


def split_checkpoint(checkpoint: Mapping[str, Any], index: int, slices: Sequence[slice]) -> dict[str, Any]:
    """Member `index`'s part of a stack's checkpoint, as that of a run of its own."""
    k = next(k for k, part in enumerate(slices) if part.start <= index < part.stop)
    weights = checkpoint["state_dict"].items()
    part = {
        **checkpoint,
        "state_dict": {name.replace(STACK_PREFIX, MODEL_PREFIX, 1): tensor[index].clone() for name, tensor in weights},
        "epoch_metrics": checkpoint["epoch_metrics"][index],
    }
    if "optimizer_states" in checkpoint:  # it is not in one of weights alone
        part["optimizer_states"] = [
            split_optimizer(state, k, index - slices[k].start, len(slices)) for state in checkpoint["optimizer_states"]
        ]
        part["lr_schedulers"] = [split_scheduler(state, k, len(slices)) for state in checkpoint["lr_schedulers"]]
    return part


def merge_checkpoints(checkpoints: Sequence[Mapping[str, Any]], slices: Sequence[slice]) -> dict[str, Any]:
    """The stack's checkpoint from those of its members; the inverse of `split_checkpoint`."""
    first = checkpoints[0]
    firsts = [checkpoints[part.start] for part in slices]
    return {
        **{key: value for key, value in first.items() if key != "epoch_metrics"},
        "state_dict": {
            name.replace(MODEL_PREFIX, STACK_PREFIX, 1): torch.stack([part["state_dict"][name] for part in checkpoints])
            for name in first["state_dict"]
        },
        "optimizer_states": [
            merge_optimizers([[part["optimizer_states"][n] for part in checkpoints[members]] for members in slices])
            for n in range(len(first["optimizer_states"]))
        ],
        "lr_schedulers": [
            state | {key: [rate for part in firsts for rate in part["lr_schedulers"][n][key]] for key in PER_GROUP_KEYS}
            for n, state in enumerate(first["lr_schedulers"])
        ],
        "epoch_metrics": [part["epoch_metrics"] for part in checkpoints],
    }


def split_optimizer(state: Mapping[str, Any], k: int, within: int, slices: int) -> dict[str, Any]:
    """The optimizer's groups of slice `k`, and of their states the row `within` it."""
    each = len(state["param_groups"]) // slices
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


def merge_optimizers(states: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The stack's optimizer from its members', by slice."""
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


def split_scheduler(state: Mapping[str, Any], k: int, slices: int) -> dict[str, Any]:
    """A scheduler's state, of whose rates those of slice `k` are kept."""
    own = {}
    for key in PER_GROUP_KEYS:
        each = len(state[key]) // slices
        own[key] = state[key][k * each : (k + 1) * each]
    return {**state, **own}

"""A stack's checkpoint as those of its members, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

STACKED, ALONE = "member.one.", "member."
"""What the names of weights start with."""
RATES = ("base_lrs", "_last_lr")
"""What a scheduler has one of for each group of the optimizer."""


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

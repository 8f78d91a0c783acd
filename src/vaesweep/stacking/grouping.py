"""Which jobs of a study make a stack: those that differ in knobs and seeds alone."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from lightning.pytorch.accelerators import CUDAAccelerator
from lightning.pytorch.callbacks import Timer
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import nn

from vaesweep.data import ImageDataModule
from vaesweep.errors import reason
from vaesweep.models import Autoencoder
from vaesweep.settings.instantiate import build
from vaesweep.settings.validate import validate
from vaesweep.stacking.member_callbacks import PER_MEMBER_CALLBACKS, SHARED_CALLBACKS
from vaesweep.stacking.memory import MEMORY_SHARE, footprint, free_bytes
from vaesweep.stacking.stacked_model import architecture_key
from vaesweep.training.build_parts import build_data
from vaesweep.training.check_devices import check_devices
from vaesweep.training.load_checkpoint import CHECKPOINT
from vaesweep.training.planned_run import PlannedRun

CONFIG_MAY_DIFFER = ("folder", "seed", "resume", "logger", "model", "choices")
"""Settings that jobs of a stack may differ in; of `model` only what becomes a tensor."""
OPTIMIZER_MAY_DIFFER = ("lr", "weight_decay")
"""And those of the optimizer."""
UNSUPPORTED_CHECKPOINT_SETTINGS = ("every_n_train_steps", "train_time_interval", "save_on_exception")
"""Settings of checkpoints at times when a stack writes none."""


@dataclass
class Grouping:
    """`stacks` of jobs to be trained as one; those `alone`, with the reason; what there is to say about either."""

    stacks: list[list[PlannedRun]] = field(default_factory=list)
    alone: list[tuple[PlannedRun, str]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


def group_jobs(jobs: Sequence[PlannedRun], memory: float | None, slots: int = 1) -> Grouping:
    """Sort `jobs` into the largest stacks that fit into `memory` GiB each, or together into what is free of it.

    There are enough of them for all of `slots`, the number of stacks that are trained at a time, where each can have
    two members.
    """
    groups, data, alike = Grouping(), dict[str, ImageDataModule](), dict[str, list[tuple[PlannedRun, Autoencoder]]]()
    for job in jobs:
        try:
            obstacle = why_not_stackable(job)
            if obstacle is None:
                spec = load_data(job.config, data).spec
                member = build(job.config, "model", network=build(job.config, "network"), spec=spec)
                obstacle = why_slower_in_a_stack(job, member)
            if obstacle is None:
                alike.setdefault(stack_key(job, member), []).append((job, member))
        except Exception as error:  # whatever it is, alone it is recorded where it belongs
            obstacle = reason(error)
        if obstacle:
            groups.alone.append((job, obstacle))
    # kinds of jobs are trained side by side, and so have a share of the slots each
    parts = math.ceil(slots / max(1, sum(len(pairs) > 1 for pairs in alike.values())))
    for pairs in alike.values():
        together = [job for job, _ in pairs]
        if len(pairs) == 1:
            groups.alone.append(
                (together[0], "no other job differs from it in knobs and seeds alone, at the same step")
            )
            continue
        try:
            room = memory * 2**30 if memory else free_bytes_of_a_slot(together[0].config, slots)
            split_by_memory(together, pairs[0][1], load_data(together[0].config, data), room, parts, groups)
        except Exception as error:
            groups.alone += [(job, reason(error)) for job in together]
    return groups


def split_by_memory(
    jobs: list[PlannedRun], member: Autoencoder, data: ImageDataModule, room: float, least: int, groups: Grouping
) -> None:
    """Add jobs of one kind, of which `member` is one, to `groups`, as many to a stack as there is room for in bytes.

    They become `least` stacks or more, where each can have two members.
    """
    config = jobs[0].config
    double = config.trainer.precision == "64-true"
    each = footprint(member, next(iter(data.train_dataloader()))) * (2 if double else 1)
    most = max(1, int(room // each))
    count = math.ceil(len(jobs) / most)
    # members that share a rate and a decay stand together: see `param_group_slices`
    ordered = sorted(jobs, key=lambda job: [float(job.config.optimizer[key]) for key in OPTIMIZER_MAY_DIFFER])
    parts = equal_parts(ordered, max(count, min(least, len(jobs) // 2)))
    size = f"{each / 2**20:.0f} MiB a member"
    if count > 1:
        groups.messages.append(
            f"{len(jobs)} members of {size} do not fit into {room / 2**30:.1f} GiB: {most} at a time"
        )
    groups.stacks += [part for part in parts if len(part) > 1]
    groups.alone += [(part[0], f"no room for a second of {size}") for part in parts if len(part) == 1]


def equal_parts(jobs: Sequence[PlannedRun], count: int) -> list[list[PlannedRun]]:
    """`jobs` in their order, in parts whose sizes differ by one at most, the larger ones first."""
    small, larger = divmod(len(jobs), count)
    ends = [small * k + min(k, larger) for k in range(count + 1)]
    return [list(jobs[start:end]) for start, end in pairwise(ends)]


def halves(jobs: Sequence[PlannedRun]) -> list[list[PlannedRun]]:
    """Jobs of a stack that was too large as stacks of half the size, each of jobs that go on from the same step."""
    alike: dict[int, list[PlannedRun]] = {}
    for job in jobs:
        alike.setdefault(start_step(job), []).append(job)
    half = math.ceil(len(jobs) / 2)
    return [part for same in alike.values() for part in equal_parts(same, math.ceil(len(same) / half))]


def free_bytes_of_a_slot(config: DictConfig, slots: int) -> float:
    """Bytes that each of the stacks may take that are trained at a time."""
    gpu = gpu_index(config)
    devices = 1 if gpu is None else max(1, torch.cuda.device_count())
    return MEMORY_SHARE * free_bytes(gpu) / math.ceil(slots / devices)


def why_not_stackable(job: PlannedRun) -> str | None:
    """Why a job cannot be in a stack, or None. Raises `ConfigError` for one that cannot be run at all."""
    config, trainer = job.config, job.config.trainer
    validate(config)
    check_devices(config)
    one = trainer.devices == 1 or (isinstance(trainer.devices, ListConfig) and len(trainer.devices) == 1)
    if trainer.strategy != "auto" or not one:
        return f"trainer.devices={trainer.devices}: a stack is trained on one device"
    if trainer.precision == "16-mixed":
        return "trainer.precision=16-mixed: one scale of the loss for all would couple the members"
    if trainer.get("profiler"):
        return "trainer.profiler: a profile is of one run"
    if trainer.get("max_time"):
        return f"trainer.max_time={trainer.max_time}: the members of a stack would share the time"
    for name, node in config.callbacks.items():
        built = build(config, f"callbacks.{name}")
        if type(built) not in PER_MEMBER_CALLBACKS and not isinstance(built, SHARED_CALLBACKS):
            return f"callbacks.{name}: a {type(built).__name__} may act on the whole run"
        if isinstance(built, Timer) and node.get("duration"):
            return f"callbacks.{name}.duration: the members of a stack would share the time"
        for key in UNSUPPORTED_CHECKPOINT_SETTINGS:
            if node.get(key):
                return f"callbacks.{name}.{key}: a stack is saved at the end of epochs"
    build(config, "optimizer")
    return None


def why_slower_in_a_stack(job: PlannedRun, member: Autoencoder) -> str | None:
    """Why a job is trained faster by the pool, or None.

    A stack of convolutions is one grouped convolution: on a CPU 16 members take twice as long in it as one by one.
    """
    convolves = any(isinstance(part, nn.Conv2d | nn.ConvTranspose2d) for part in member.modules())
    return (
        "convolutions on a CPU are trained faster one by one" if convolves and gpu_index(job.config) is None else None
    )


def stack_key(job: PlannedRun, member: Autoencoder) -> str:
    """All that jobs of one stack have in common: how they are trained, how their members are built, and the step that
    they go on from."""
    plain: Any = OmegaConf.to_container(job.config)
    rest = {key: value for key, value in plain.items() if key not in CONFIG_MAY_DIFFER}
    for key in OPTIMIZER_MAY_DIFFER:
        del rest["optimizer"][key]
    key = json.dumps([rest, architecture_key(member), start_step(job)], sort_keys=True)
    return key.replace(json.dumps(str(job.folder))[1:-1], "")


def start_step(job: PlannedRun) -> int:
    """The optimizer step that the job goes on from."""
    path = job.folder / CHECKPOINT
    if not job.config.resume or not path.is_file():
        return 0
    step: int = torch.load(path, map_location="cpu", weights_only=True)["global_step"]
    return step


def load_data(config: DictConfig, loaded: dict[str, ImageDataModule]) -> ImageDataModule:
    """The data of a job, loaded once for all that have the same."""
    key = json.dumps(OmegaConf.to_container(config.data, resolve=True), sort_keys=True)
    if key not in loaded:
        loaded[key] = build_data(config)
    return loaded[key]


def gpu_index(config: DictConfig) -> int | None:
    """The GPU that the job is to be trained on, or None."""
    if config.trainer.accelerator not in ("auto", "gpu", "cuda") or not CUDAAccelerator.is_available():
        return None
    devices = config.trainer.devices
    return int(devices[0]) if isinstance(devices, ListConfig) else 0

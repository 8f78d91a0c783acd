"""Which jobs of a study make a stack: those that differ in knobs and seeds alone."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning.pytorch.accelerators import CUDAAccelerator
from omegaconf import DictConfig, ListConfig, OmegaConf

from vaesweep.callbacks import OWN, SHARED
from vaesweep.checkpoints import CHECKPOINT
from vaesweep.checks import reason
from vaesweep.data import ImageData
from vaesweep.entry import build
from vaesweep.family import Autoencoder
from vaesweep.memory import SHARE, footprint, free
from vaesweep.stack import alike
from vaesweep.training import Job, check

FREE = ("folder", "seed", "resume", "logger", "model", "choices")
"""Settings that jobs of a stack may differ in; of `model` only what becomes a tensor."""
RATES = ("lr", "weight_decay")
"""And those of the optimizer."""
UNHEARD = ("every_n_train_steps", "train_time_interval", "save_on_exception")
"""Occasions of checkpoints that a stack does not have."""


@dataclass
class Groups:
    """`stacks` of jobs to be trained as one; those `alone`, with the reason; what there is to say about either."""

    stacks: list[list[Job]] = field(default_factory=list)
    alone: list[tuple[Job, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def grouped(jobs: Sequence[Job], memory: float | None) -> Groups:
    """Sort `jobs` into the largest stacks that fit into `memory` GiB, or what is free of it."""
    found, data, kin = Groups(), dict[str, ImageData](), dict[str, list[tuple[Job, Autoencoder]]]()
    for job in jobs:
        try:
            hindrance = hindered(job)
            if hindrance is None:
                spec = loaded(job.config, data).spec
                member = build(job.config, "model", network=build(job.config, "network"), spec=spec)
                kin.setdefault(kind(job, member), []).append((job, member))
        except Exception as error:  # whatever it is, alone it is recorded where it belongs
            hindrance = reason(error)
        if hindrance:
            found.alone.append((job, hindrance))
    for pairs in kin.values():
        together = [job for job, _ in pairs]
        if len(pairs) == 1:
            found.alone.append((together[0], "no other job differs from it in knobs and seeds alone, at the same step"))
            continue
        try:
            split(together, pairs[0][1], loaded(together[0].config, data), memory, found)
        except Exception as error:
            found.alone += [(job, reason(error)) for job in together]
    return found


def split(jobs: list[Job], member: Autoencoder, data: ImageData, memory: float | None, found: Groups) -> None:
    """Add jobs of one kind, of which `member` is one, to `found`, as many to a stack as there is room for."""
    config = jobs[0].config
    double = config.trainer.precision == "64-true"
    each = footprint(member, next(iter(data.train_dataloader()))) * (2 if double else 1)
    room = memory * 2**30 if memory else SHARE * free(gpu(config))
    most = max(1, int(room // each))
    # members that share a rate and a decay stand together: see `stretches`
    ordered = sorted(jobs, key=lambda job: [float(job.config.optimizer[key]) for key in RATES])
    parts = [ordered[start : start + most] for start in range(0, len(ordered), most)]
    size = f"{each / 2**20:.0f} MiB a member"
    if len(parts) > 1:
        found.said.append(f"{len(jobs)} members of {size} do not fit into {room / 2**30:.1f} GiB: {most} at a time")
    found.stacks += [part for part in parts if len(part) > 1]
    found.alone += [(part[0], f"no room for a second of {size}") for part in parts if len(part) == 1]


def hindered(job: Job) -> str | None:
    """Why a job cannot be in a stack, or None. Raises `Invalid` for one that cannot be run at all."""
    config, trainer = job.config, job.config.trainer
    check(config)
    one = trainer.devices == 1 or (isinstance(trainer.devices, ListConfig) and len(trainer.devices) == 1)
    if trainer.strategy != "auto" or not one:
        return f"trainer.devices={trainer.devices}: a stack is trained on one device"
    if trainer.precision == "16-mixed":
        return "trainer.precision=16-mixed: one scale of the loss for all would couple the members"
    for name, node in config.callbacks.items():
        built = build(config, f"callbacks.{name}")
        if type(built) not in OWN and not isinstance(built, SHARED):
            return f"callbacks.{name}: a {type(built).__name__} may act on the whole run"
        for occasion in UNHEARD:
            if node.get(occasion):
                return f"callbacks.{name}.{occasion}: a stack is saved at the end of epochs"
    build(config, "optimizer")
    return None


def kind(job: Job, member: Autoencoder) -> str:
    """All that jobs of one stack have in common: how they are trained, how their members are built, and the step that
    they go on from."""
    plain: Any = OmegaConf.to_container(job.config)
    rest = {key: value for key, value in plain.items() if key not in FREE}
    for key in RATES:
        del rest["optimizer"][key]
    told = json.dumps([rest, alike(member), reached(job)], sort_keys=True)
    return told.replace(json.dumps(str(job.folder))[1:-1], "")


def reached(job: Job) -> int:
    """The optimizer step that the job goes on from."""
    path = job.folder / CHECKPOINT
    if not job.config.resume or not path.is_file():
        return 0
    step: int = torch.load(path, map_location="cpu", weights_only=True)["global_step"]
    return step


def loaded(config: DictConfig, known: dict[str, ImageData]) -> ImageData:
    """The data of a job, loaded once for all that have the same."""
    key = json.dumps(OmegaConf.to_container(config.data, resolve=True), sort_keys=True)
    if key not in known:
        known[key] = build(config, "data")
        known[key].prepare_data()
        known[key].setup()
    return known[key]


def gpu(config: DictConfig) -> int | None:
    """The GPU that the job is to be trained on, or None."""
    if config.trainer.accelerator not in ("auto", "gpu", "cuda") or not CUDAAccelerator.is_available():
        return None
    devices = config.trainer.devices
    return int(devices[0]) if isinstance(devices, ListConfig) else 0

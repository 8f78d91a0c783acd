"""Switches off what Lightning and torch do at every training step for nobody. Results stay the same, bit for bit."""

import os

import lightning as L
import torch

from vaesweep.training.direct_epoch_loop import DirectEpochLoop, is_inherited

STEP_HOOKS = (
    *("on_train_batch_start", "on_before_zero_grad", "on_before_backward", "on_after_backward"),
    *("on_before_optimizer_step", "on_train_batch_end"),
)
"""Hooks of callbacks that are called at every training step."""


def spare_steps(trainer: L.Trainer) -> None:
    """Have the training steps of `trainer` pay for nothing that no callback and no result needs.

    - A plain step goes through Lightning's loop without its detours: `DirectEpochLoop`.
    - Lightning enters a profiler for each of six hooks of each callback. Those that a callback leaves as they are
      are set to None, which Lightning skips.
    - `trainer.deterministic` has torch fill new memory with NaN, so that a program that reads memory before it
      writes to it is reproducible. No operation of a model does.
    - Lightning has torch look for GPUs by their driver's library, which is opened anew each time. Adam looks at every
      step. Lightning does so for the sake of processes that are forked to use GPUs; training on a CPU forks none.
    """
    DirectEpochLoop.install(trainer)
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        for name in STEP_HOOKS:
            if is_inherited(getattr(callback, name), L.Callback, name):
                setattr(callback, name, None)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if trainer.strategy.root_device.type == "cpu":
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"

"""Lightning's loop over the batches of an epoch, which takes the steps of a plain run without its detours."""

from typing import Any

import lightning as L
from lightning.pytorch.loops.fetchers import _DataFetcher, _DataLoaderIterDataFetcher
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.strategies import SingleDeviceStrategy

CALLBACK_HOOKS = ("on_before_zero_grad", "on_before_backward", "on_after_backward", "on_before_optimizer_step")
"""Hooks of callbacks within a step, which a plain run has none of."""
MODULE_HOOKS = (*CALLBACK_HOOKS, "optimizer_step", "optimizer_zero_grad", "backward", "lr_scheduler_step")
"""Likewise of the module."""
DATA_HOOKS = ("on_before_batch_transfer", "on_after_batch_transfer")
"""Likewise of the module and the data module."""


class DirectEpochLoop(_TrainingEpochLoop):
    """Takes the steps of a plain run itself, with the same results, bit for bit, and leaves all others to Lightning.

    A plain run is on one device and has one optimizer, which steps at every batch, no gradient clipping, no scaling of
    the loss, no profiler, and no hooks within a step. A step of Lightning's calls about 40 hooks by name and enters a
    context for each, which takes longer than a small model does.
    """

    @classmethod
    def install(cls, trainer: L.Trainer) -> None:
        """Have `trainer` fit with this loop."""
        usual = trainer.fit_loop.epoch_loop
        trainer.fit_loop.epoch_loop = cls(trainer, usual.min_steps, usual.max_steps)

    def on_run_start(self, data_fetcher: _DataFetcher) -> None:
        super().on_run_start(data_fetcher)
        self.is_direct = is_plain(self.trainer) and not isinstance(data_fetcher, _DataLoaderIterDataFetcher)

    def advance(self, data_fetcher: _DataFetcher) -> None:
        if self.restarting or not self.is_direct:
            super().advance(data_fetcher)
        else:
            self.direct_step(data_fetcher)

    def direct_step(self, data_fetcher: _DataFetcher) -> None:
        """One batch, in the order of `_TrainingEpochLoop.advance`."""
        trainer: Any = self.trainer
        module, optimizer = trainer.lightning_module, trainer.optimizers[0]
        progress, optimizer_progress = self.batch_progress, self.automatic_optimization.optim_progress
        self.val_loop.restarting = False
        batch, _, _ = next(data_fetcher)
        batch_idx = self.batch_idx + 1
        progress.is_last_batch = data_fetcher.done
        batch = trainer.precision_plugin.convert_input(batch)
        batch = trainer.datamodule.transfer_batch_to_device(batch, module.device, 0)
        progress.increment_ready()
        trainer._logger_connector.on_batch_start(batch)
        call_hooks(trainer, "on_train_batch_start", batch, batch_idx)
        progress.increment_started()

        set_hook_name(module, "training_step")
        with trainer.precision_plugin.train_step_context():
            loss = module.training_step(batch, batch_idx)
        optimizer_progress.optimizer.zero_grad.increment_ready()
        optimizer_progress.optimizer.zero_grad.increment_started()
        optimizer.zero_grad()
        optimizer_progress.optimizer.zero_grad.increment_completed()
        loss.backward()
        optimizer_progress.optimizer.step.increment_ready()
        optimizer.step()
        optimizer_progress.optimizer.step.increment_completed()
        progress.increment_processed()
        for config in trainer.lr_scheduler_configs:
            self.scheduler_progress.increment_ready()
            config.scheduler.step()
            self.scheduler_progress.increment_completed()

        call_hooks(trainer, "on_train_batch_end", {"loss": loss.detach()}, batch, batch_idx)
        results = trainer._results
        if results:  # of `log` within the step
            trainer._logger_connector.on_batch_end()
        else:
            results.batch = results.batch_size = None
        progress.increment_completed()
        if results:
            trainer._logger_connector.update_train_step_metrics()


def call_hooks(trainer: Any, name: str, *args: Any) -> None:
    """Call a hook of all callbacks and of the module."""
    module = trainer.lightning_module
    set_hook_name(module, name)
    for callback in trainer.callbacks:
        hook = getattr(callback, name)
        if callable(hook):
            hook(trainer, module, *args)
    getattr(module, name)(*args)
    set_hook_name(module, None)


def set_hook_name(module: L.LightningModule, name: str | None) -> None:
    """Tell `module.log` where it is called; not as an attribute, which a module would look up among its weights."""
    module.__dict__["_current_fx_name"] = name


def is_plain(trainer: Any) -> bool:
    """Whether `DirectEpochLoop` may take the steps of a run."""
    precision, module, data = trainer.precision_plugin, trainer.lightning_module, trainer.datamodule
    return (
        type(trainer.strategy) is SingleDeviceStrategy
        and not (isinstance(precision, MixedPrecision) and precision.scaler)
        and isinstance(trainer.profiler, PassThroughProfiler)
        and trainer.accumulate_grad_batches == 1
        and not trainer.gradient_clip_val
        and len(trainer.optimizers) == 1
        and module.automatic_optimization
        and data is not None
        and all(
            config.interval == "step" and config.frequency == 1 and not config.reduce_on_plateau
            for config in trainer.lr_scheduler_configs
        )
        and not any(overrides(callback, L.Callback, CALLBACK_HOOKS) for callback in trainer.callbacks)
        and not overrides(module, L.LightningModule, (*MODULE_HOOKS, *DATA_HOOKS))
        and not overrides(data, L.LightningDataModule, DATA_HOOKS)
    )


def overrides(part: object, base: type, hooks: tuple[str, ...]) -> bool:
    """Whether `part` has hooks of its own: in its class, or set on it, as `LambdaCallback` does."""
    return any(not is_inherited(getattr(part, name), base, name) for name in hooks)


def is_inherited(hook: Any, base: type, name: str) -> bool:
    """Whether a bound method is that of `base`; so is None, which Lightning skips."""
    return hook is None or getattr(hook, "__func__", None) is getattr(base, name)

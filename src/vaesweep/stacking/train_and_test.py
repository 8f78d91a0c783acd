"""From the configurations of several runs to as many trained and tested models, trained as one."""

from collections.abc import Sequence
from functools import partial

import lightning as L
from lightning.pytorch.callbacks import LambdaCallback

from vaesweep.errors import reason
from vaesweep.records.log_to_loggers import log_results
from vaesweep.settings.instantiate import build
from vaesweep.settings.validate import validate
from vaesweep.stacking.checkpoint_io import PerMemberCheckpointIO
from vaesweep.stacking.lightning_module import LitStack
from vaesweep.stacking.member_callbacks import SHARED_CALLBACKS, MemberCallbacks
from vaesweep.stacking.optimizer import param_group_slices
from vaesweep.stacking.trainer_view import MemberTrainerView
from vaesweep.training.build_parts import build_callbacks, build_data, build_module, start_loggers
from vaesweep.training.check_callbacks import check_callbacks
from vaesweep.training.check_devices import check_devices
from vaesweep.training.check_resumption import check_cycle
from vaesweep.training.load_checkpoint import CHECKPOINT, best_checkpoint, load_weights
from vaesweep.training.planned_run import PlannedRun
from vaesweep.training.record_training import Stopwatch, record_duration, record_metrics
from vaesweep.training.resume_with_max_steps import restart_cut_epochs_only
from vaesweep.training.run_lock import lock_run_dirs
from vaesweep.training.run_recorder import RunRecorder
from vaesweep.training.skip_step_overhead import spare_steps
from vaesweep.training.train_and_test import device_name, silence_lightning


def run_stack(jobs: Sequence[PlannedRun]) -> None:
    """Train and test jobs as one stack, and leave a record of each, however it ends.

    Raises what went wrong for all of them; a job that fails alone raises nothing, its record says why.
    """
    with lock_run_dirs([job.folder for job in jobs]), RunRecorder(jobs, summary=False):
        train_and_test_stack(jobs)


def begin(jobs: Sequence[PlannedRun], trainer: L.Trainer, stack: LitStack) -> None:
    """Have jobs know that training has begun, when nothing can refuse to resume them any more."""
    check_cycle(trainer, stack.steps)
    for job in jobs:
        job.has_begun = True


def train_and_test_stack(jobs: Sequence[PlannedRun]) -> None:
    """`train_and_test` for several jobs at once. What they share is built from the first's configuration."""
    config = jobs[0].config
    for job in jobs:
        validate(job.config)
        check_devices(job.config)
    silence_lightning()
    data = build_data(config)
    modules = [build_module(job, data) for job in jobs]
    callbacks = [build_callbacks(job.config) for job in jobs]
    for job, of_job, module in zip(jobs, callbacks, modules, strict=True):
        check_callbacks(job.config, of_job, module.tracker)
    views = [
        MemberTrainerView(module, [c for c in of_job if not isinstance(c, SHARED_CALLBACKS)], job.folder)
        for module, of_job, job in zip(modules, callbacks, jobs, strict=True)
    ]
    stack = LitStack(views)
    shared = [callback for callback in callbacks[0] if isinstance(callback, SHARED_CALLBACKS)]
    started = partial(begin, jobs)
    slices = [rows for rows, _ in param_group_slices([module.optimizer_recipe for module in modules])]
    trainer: L.Trainer = build(
        config,
        "trainer",
        # a fit that has no epoch left does not start
        callbacks=[*shared, MemberCallbacks(views), LambdaCallback(on_train_start=started, on_fit_end=started)],
        plugins=PerMemberCheckpointIO(views, slices, config.checkpoint_every_n_seconds),
        logger=False,
        default_root_dir=jobs[0].folder,
        enable_checkpointing=False,
    )
    spare_steps(trainer)
    restart_cut_epochs_only(trainer)
    if config.compile:
        stack.stack.compile()
    for view, job in zip(views, jobs, strict=True):
        view.loggers = start_loggers(job)
    clock = Stopwatch(callbacks[0])
    try:
        checkpoint = jobs[0].folder / CHECKPOINT
        start = checkpoint if config.resume and checkpoint.is_file() else None
        trainer.fit(stack, datamodule=data, ckpt_path=start, weights_only=True)
        if config.test_checkpoint == "best":
            stack.sync_members()
            for view in stack.active_members():
                load_weights(view.module, best_checkpoint(view.callbacks))
        trainer.validate(stack, datamodule=data, verbose=False)
        trainer.test(stack, datamodule=data, verbose=False)
    finally:
        for view, job in zip(views, jobs, strict=True):
            epochs = trainer.current_epoch if view.epochs is None else view.epochs
            record_duration(job.results, epochs, clock.seconds() / len(jobs))
            job.results.trained_together = len(jobs)
            job.results.device = device_name(trainer)
            job.results.reason = None if view.failure is None else reason(view.failure)
    for view, job in zip(views, jobs, strict=True):
        if view.is_active:
            record_metrics(job, view.module.tracker)
            log_results(view.loggers, job.results, view.module.tracker.training_means())

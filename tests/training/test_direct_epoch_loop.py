"""The direct loop over batches does what Lightning's does, and leaves alone what it does not do."""

import lightning as L
import pytest
import torch
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from omegaconf import OmegaConf
from torch.utils._pytree import tree_flatten_with_path

from support.interruption import interrupted_at
from vaesweep.records.results import Results
from vaesweep.stacking.train_and_test import run_stack
from vaesweep.training import direct_epoch_loop, train_and_test
from vaesweep.training.planned_run import PlannedRun
from vaesweep.training.run_and_record import run

HOOKS = [
    name
    for name in vars(L.Callback)
    if name.startswith("on_") and name not in (*direct_epoch_loop.CALLBACK_HOOKS, "on_exception")
]


class Recorder(L.Callback):
    """Writes down every hook that is called, and what the trainer says then."""

    def __init__(self, seen):
        self.seen = seen


def recording(name):
    def hook(self, trainer, module, *args):
        steps = [trainer.global_step, trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_idx]
        batch = [value for value in args if isinstance(value, int)]
        logged = {key: float(value) for key, value in trainer.callback_metrics.items()}
        rates = [group["lr"] for optimizer in trainer.optimizers for group in optimizer.param_groups]
        loss = [float(value["loss"]) for value in args if isinstance(value, dict) and "loss" in value]
        is_held = trainer._results is not None and trainer._results.batch is not None
        self.seen.append((name, module._current_fx_name, steps, batch, logged, rates, loss, is_held))

    return hook


for name in HOOKS:
    setattr(Recorder, name, recording(name))


@pytest.fixture
def advances(monkeypatch):
    """The steps that either loop took."""
    taken = {"direct": 0, "usual": 0}
    direct, usual = direct_epoch_loop.DirectEpochLoop.direct_step, _TrainingEpochLoop.advance

    def count(name, step):
        def counted(self, *args):
            taken[name] += 1
            return step(self, *args)

        return counted

    monkeypatch.setattr(direct_epoch_loop.DirectEpochLoop, "direct_step", count("direct", direct))
    monkeypatch.setattr(_TrainingEpochLoop, "advance", count("usual", usual))
    return taken


@pytest.fixture
def recorded_run(config, tmp_path, monkeypatch):
    """Run by either loop; what a recording callback saw, and the leaves of the last checkpoint by their paths."""
    build_callbacks = train_and_test.build_callbacks

    def make(name, *overrides):
        seen = []
        with monkeypatch.context() as patch:
            patch.setattr(train_and_test, "build_callbacks", lambda given: [*build_callbacks(given), Recorder(seen)])
            if name == "usual":
                patch.setattr(direct_epoch_loop, "is_plain", lambda trainer: False)
            run(config("model=vae", "trainer.max_epochs=2", *overrides, folder=tmp_path / name))
        state = torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)
        leaves = {str(path): value for path, value in tree_flatten_with_path(state)[0]}
        # folders, and the seconds that the run took
        return seen, {
            path: value for path, value in leaves.items() if not isinstance(value, str) and "Timer" not in path
        }

    return make


def check_same(recorded_run, *settings):
    """Both loops are seen by callbacks alike, and end alike."""
    seen, state = recorded_run("direct", *settings)
    expected, expected_state = recorded_run("usual", *settings)
    assert seen == expected
    assert state.keys() == expected_state.keys()
    for key, value in expected_state.items():
        assert torch.equal(state[key], value) if isinstance(value, torch.Tensor) else state[key] == value, key


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["model=cvae", "optimizer=adam_constant", "trainer.log_every_n_steps=3"],
        ["data.binarize=dynamic", "trainer.precision=bf16-mixed"],
        ["trainer.precision=64-true", "model/likelihood=gaussian"],
        ["+trainer.max_steps=25", "+trainer.val_check_interval=7"],
        ["+trainer.limit_train_batches=0.4", "trainer.num_sanity_val_steps=2"],
        ["+trainer.overfit_batches=2", "trainer.max_epochs=4"],
    ],
    ids=lambda settings: " ".join(settings) or "default",
)
def test_hooks_metrics_rates_and_checkpoints_are_those_of_lightnings_loop(recorded_run, advances, settings):
    check_same(recorded_run, *settings)
    assert advances["direct"] == advances["usual"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        ["trainer.gradient_clip_val=0.5"],
        ["trainer.accumulate_grad_batches=3"],
        ["+trainer.profiler._target_=lightning.pytorch.profilers.SimpleProfiler"],
        ["+callbacks.hooked._target_=support.step_hook_callbacks.Hooked"],
        ["+callbacks.hooked._target_=support.step_hook_callbacks.HookedWhenMade"],
    ],
    ids=" ".join,
)
def test_a_run_that_is_not_plain_is_left_to_lightning(recorded_run, advances, settings):
    recorded_run("direct", *settings)
    assert advances["direct"] == 0 < advances["usual"]


@pytest.mark.slow
def test_a_run_that_was_stopped_in_mid_epoch_goes_on_as_by_lightnings_loop(config, tmp_path, monkeypatch, advances):
    states = []
    for name in ("direct", "usual"):
        composed = config("model=vae", "trainer.max_epochs=2", folder=tmp_path / name)
        with monkeypatch.context() as patch:
            if name == "usual":
                patch.setattr(direct_epoch_loop, "is_plain", lambda trainer: False)
            with monkeypatch.context() as stop:
                interrupted_at(25, stop)
                with pytest.raises(SystemExit):
                    run(composed)
            composed.resume = True
            run(composed)
        states.append(torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"])
    assert advances["direct"] > 0
    assert all(torch.equal(states[0][key], value) for key, value in states[1].items())


@pytest.mark.slow
def test_a_stack_is_trained_by_the_direct_loop(config, tmp_path, monkeypatch, advances):
    states = []
    for name in ("direct", "usual"):
        jobs = []
        for seed in (0, 1):
            composed = config("model=vae", f"seed={seed}", "trainer.max_epochs=1", folder=tmp_path / f"{name}{seed}")
            OmegaConf.resolve(composed)
            jobs.append(PlannedRun(composed, tmp_path / f"{name}{seed}", Results.from_config(composed, [])))
        with monkeypatch.context() as patch:
            if name == "usual":
                patch.setattr(direct_epoch_loop, "is_plain", lambda trainer: False)
            run_stack(jobs)
        path = tmp_path / f"{name}1" / "checkpoints" / "last.ckpt"
        states.append(torch.load(path, weights_only=True)["state_dict"])
    assert advances["direct"] == advances["usual"] > 0
    assert all(torch.equal(states[0][key], value) for key, value in states[1].items())

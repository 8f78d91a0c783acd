"""Studies trained as stacks: what each job leaves, what makes a stack, and what becomes of trouble."""

import contextlib
import importlib
import os
import re
import signal
from pathlib import Path

import pandas as pd
import pytest
import torch
from filelock import FileLock
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from compare import main as compare
from hydra_plugins.vaesweep_stack.launcher import StackLauncher
from support.commands import QUICK, at_work, only, record, started, statuses, train, wait_for
from support.interruption import interrupted_at
from support.paths import ROOT
from support.wandb_offline_runs import recorded
from vaesweep.errors import ConfigError
from vaesweep.records.results import Results
from vaesweep.stacking import train_and_test as stack_training
from vaesweep.stacking.checkpoint_io import merge_checkpoints, split_checkpoint
from vaesweep.stacking.grouping import group_jobs, halves
from vaesweep.stacking.memory import PeakMemory, footprint
from vaesweep.stacking.stack_script import train_stack
from vaesweep.stacking.stacked_model import Stack
from vaesweep.stacking.train_and_test import run_stack
from vaesweep.studies.pool import LOG, Command, Pool
from vaesweep.studies.study_job import StudyJob
from vaesweep.training.planned_run import PlannedRun
from vaesweep.training.run_and_record import run, run_and_record

pytestmark = pytest.mark.slow

SMALL = ["model=beta_vae", "network.hidden=[32]", "trainer.max_epochs=3"]
KNOBS = (["model.beta=4"], ["seed=1", "optimizer.lr=1e-2"], ["model.beta=1", "optimizer.lr=1e-2"])


@pytest.fixture
def job(config, tmp_path):
    """A job as a launcher makes it, in a folder of its own."""

    def make(name, *overrides, small=SMALL):
        composed = config(*small, *overrides, folder=tmp_path / name)
        OmegaConf.resolve(composed)
        return PlannedRun(composed, tmp_path / name, Results.from_config(composed, list(overrides)))

    return make


@pytest.fixture
def plan(tmp_path):
    """A job of a study as the launcher plans it."""

    def make(name, *overrides):
        own = [*SMALL, *QUICK, *overrides]
        where = [f"hydra.sweep.dir={tmp_path / 'study'}", f"hydra.sweep.subdir={name}"]
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return StudyJob(compose("config", [*own, *where], return_hydra_config=True), tmp_path / "study")

    return make


class PoolHere(Pool):
    """A pool that trains stacks in this process, where tests can change what happens."""

    def run(self, jobs):
        self.waiting = list(jobs)
        while self.waiting:
            command = self.waiting.pop(0)
            with (command.folder / LOG).open("a") as log, contextlib.redirect_stderr(log):
                command.code = train_stack(Path(command.command[-1]))
            yield command


def train_as_stack(plans):
    """Have the launcher train jobs as one stack; returns those that it leaves to be run alone."""
    launcher = StackLauncher(None, None, None)
    launcher.config = OmegaConf.create({"hydra": {"sweeper": {}}})
    jobs = {plan: launcher.job(plan) for plan in plans}
    return launcher.train(plans[0].folder.parent, PoolHere([{}]), [list(jobs.values())], jobs)


def checkpoint(job, name="last"):
    return torch.load(job.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


def outline(value):
    """What a checkpoint is but for its numbers: keys, types and shapes."""
    if isinstance(value, dict):
        return {str(key).rpartition("/")[2]: outline(inner) for key, inner in value.items()}  # without folders
    if isinstance(value, list | tuple):
        return [outline(inner) for inner in value]
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    return "number" if isinstance(value, int | float) else type(value).__name__


def left(folder):
    """Files in a run folder, without what W&B numbers."""
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {re.sub(r"(offline-)?run-[\w-]*|_\d+_\w{20}", "", str(name)) for name in names}


@pytest.mark.nightly
def test_nobody_downstream_can_tell(config, tmp_path, job):
    whole = ["callbacks=default", "callbacks.figures.examples=50", "logger.wandb.mode=offline", "test_checkpoint=best"]
    together = [job(f"stack/{k}", *whole, *own) for k, own in enumerate(KNOBS)]
    run_stack(together)
    one, alone = together[1], tmp_path / "alone" / "1"
    run(config(*SMALL, *whole, *KNOBS[1], folder=alone))
    assert left(one.folder) == left(alone)
    assert all(left(other.folder) == left(alone) for other in together)

    mine, theirs = Results.read(one.folder), Results.read(alone)
    assert (mine.status, mine.config_hash, mine.epochs) == ("completed", theirs.config_hash, 3)
    assert mine.metrics == pytest.approx(theirs.metrics, rel=1e-3)
    assert (mine.trained_together, theirs.trained_together) == (3, 1)
    assert mine.device == theirs.device == "cpu"
    curves = [pd.read_csv(folder / "history.csv") for folder in (one.folder, alone)]
    pd.testing.assert_frame_equal(*curves, rtol=1e-3)
    for name in ("best", "last"):
        kept = [torch.load(f / "checkpoints" / f"{name}.ckpt", weights_only=True) for f in (one.folder, alone)]
        assert outline(kept[0]) == outline(kept[1])
        assert kept[0]["epoch_metrics"]["settings"] == kept[1]["epoch_metrics"]["settings"]
    rates = [[g["lr"] for g in k["optimizer_states"][0]["param_groups"]] for k in kept]  # of last.ckpt
    assert rates[0] == pytest.approx(rates[1])

    seen = [recorded(folder) for folder in (one.folder, alone)]
    assert seen[0]["summary"].keys() == seen[1]["summary"].keys()
    assert seen[0]["config"]["optimizer"] == seen[1]["config"]["optimizer"]
    assert seen[0]["summary"]["test/loss"] == pytest.approx(mine.metrics["test/loss"], rel=1e-6)
    for name in ("lr", "beta"):
        assert seen[0]["summary"][name] == pytest.approx(seen[1]["summary"][name])
    assert len({recorded(other.folder)["name"] for other in together}) == 3


def test_best_is_by_each_members_own_validation_loss(job, monkeypatch):
    """A member whose decoder is wrecked in the last epoch keeps and tests the weights of the one before."""

    def wreck(self):
        if self.current_epoch == 2:
            torch.nn.init.normal_(self.model.template.decoder[0].weight.data[1], std=10)

    monkeypatch.setattr("vaesweep.stacking.lightning_module.LitStack.on_train_epoch_start", wreck)
    jobs = [job(str(k), "test_checkpoint=best", "optimizer=adam_constant", f"seed={k}") for k in range(2)]
    run_stack(jobs)
    assert [checkpoint(one, "best")["epoch"] for one in jobs] == [2, 1]
    assert jobs[1].results.metrics["test/loss"] < 40


def same(one, other):
    """Whether two checkpoints hold the same values."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


@pytest.mark.parametrize("is_learned", [False, True])
def test_the_checkpoint_of_a_stack_is_those_of_its_members(job, is_learned):
    """Where a likelihood's sigma is learned, it is a second group of the optimizer's parameters."""
    likelihood = ["model/likelihood=gaussian", "model.likelihood.learn=true"] if is_learned else []
    jobs = [job(str(k), *likelihood, *own) for k, own in enumerate(sorted(KNOBS, key=len))]
    run_stack(jobs)
    members = [checkpoint(one) for one in jobs]
    slices = [slice(0, 1), slice(1, 3)]  # the second and third share a rate
    whole = merge_checkpoints(members, slices)
    assert whole["state_dict"]["model.template.encoder.body.0.weight"].shape == (3, 32, 64)
    assert len(whole["optimizer_states"][0]["param_groups"]) == 2 * (1 + is_learned)
    for k, one in enumerate(members):
        own = split_checkpoint(whole, k, slices)
        for part in ("state_dict", "optimizer_states", "lr_schedulers", "epoch_metrics"):
            assert same(own[part], one[part]), part


@pytest.mark.parametrize("step", [27, 40])
def test_an_interrupted_stack_resumes_to_the_same_weights_in_a_stack_or_alone(config, tmp_path, job, monkeypatch, step):
    whole = [job(f"whole/{k}", *own) for k, own in enumerate(KNOBS)]
    run_stack(whole)
    parts = [job(f"part/{k}", *own) for k, own in enumerate(KNOBS)]
    with monkeypatch.context() as patch:
        interrupted_at(step, patch)
        with pytest.raises(SystemExit, match="143"):
            run_stack(parts)
    assert {Results.read(one.folder).status for one in parts} == {"interrupted"}
    # of a signal in the last step of an epoch the epoch's checkpoint takes care, and the next step stops
    assert {checkpoint(one)["global_step"] for one in parts} == {step + (step == 40)}
    # the last of them alone, the others in a stack
    run(config(*SMALL, *KNOBS[2], "resume=true", folder=parts[2].folder))
    run_stack([job(f"part/{k}", *KNOBS[k], "resume=true") for k in range(2)])
    for mine, theirs in zip(parts, whole, strict=True):
        for name, weight in checkpoint(theirs)["state_dict"].items():
            assert torch.allclose(checkpoint(mine)["state_dict"][name], weight, rtol=1e-3, atol=1e-4), name
        assert Results.read(mine.folder).metrics == pytest.approx(theirs.results.metrics, rel=1e-3)
        assert len(pd.read_csv(mine.folder / "history.csv")) == 3
        shown = checkpoint(mine)["callbacks"]["Timer"]["time_elapsed"]["train"]
        assert shown == pytest.approx(Results.read(mine.folder).seconds, rel=0.2)  # its share, in whatever company


@pytest.mark.parametrize(
    ("epochs", "line"),
    [
        (
            1,
            r"trainer.max_epochs: got 1 for a run that was trained for 3 epochs; allowed: a whole number of at least 3",
        ),
        (4, r"trainer.max_epochs: got 4 \(80 steps\) to resume a cycle of 60 steps"),
    ],
)
def test_a_stack_whose_resumption_is_refused_keeps_its_records(job, epochs, line):
    run_stack([job(name, *own) for name, own in zip("ab", KNOBS, strict=False)])
    again = [job(n, *o, f"trainer.max_epochs={epochs}", "resume=true") for n, o in zip("ab", KNOBS, strict=False)]
    with pytest.raises(ConfigError, match=line):
        run_stack(again)
    ended = [Results.read(one.folder) for one in again]
    assert [(one.status, one.epochs, one.reason) for one in ended] == [("completed", 3, None)] * 2


def test_what_fails_where_only_the_test_is_left_is_recorded(job, config):
    run_stack([job(name, *own) for name, own in zip("ab", KNOBS, strict=False)])
    again = [job(name, *own, "resume=true") for name, own in zip("ab", KNOBS, strict=False)]
    for one in again:
        (one.folder / "examples" / "originals.png").unlink()
    (again[0].folder / "examples" / "originals.png" / "in" / "the way").mkdir(parents=True)
    run_stack(again)
    ended = [Results.read(one.folder) for one in again]
    assert [(one.status, one.epochs) for one in ended] == [("failed", 3), ("completed", 3)]
    assert "originals.png" in ended[0].reason
    with pytest.raises(OSError, match=r"originals\.png"):
        run(config(*SMALL, *KNOBS[0], "resume=true", folder=again[0].folder))
    assert (Results.read(again[0].folder).status, Results.read(again[0].folder).epochs) == ("failed", 3)


@pytest.mark.parametrize("tested", ["last", "best"])
def test_one_that_diverges_is_failed_with_step_and_term_and_the_rest_go_on(job, tested):
    jobs = [
        job(name, f"test_checkpoint={tested}", *own)
        for name, own in zip("abc", ([], ["optimizer.lr=1e30"], ["seed=1"]), strict=True)
    ]
    run_stack(jobs)
    assert [Results.read(one.folder).status for one in jobs] == ["completed", "failed", "completed"]
    assert re.match(r"(distortion|kl) is (nan|inf) at training step \d+", Results.read(jobs[1].folder).reason)
    assert not Results.read(jobs[1].folder).metrics
    assert [Results.read(one.folder).epochs for one in jobs] == [3, 0, 3]


def full(*_, **__):
    raise OSError(28, "No space left on device")


def only_for(folder, original):
    """`original`, but for an argument that lies in `folder`, where the disk is full."""

    def patched(*given, **options):
        named = [getattr(one, "folder", one) for one in given]
        return (full if any(str(one).startswith(str(folder)) for one in named) else original)(*given, **options)

    return patched


@pytest.mark.parametrize(
    "what",
    [
        "vaesweep.training.callbacks.ExampleImages.save_strip",
        "vaesweep.training.checkpoint_io.AtomicCheckpointIO.save_checkpoint",
    ],
)
def test_what_fails_for_one_member_fails_it_alone(job, monkeypatch, what):
    jobs = [job(name, f"seed={seed}") for seed, name in enumerate("abc")]
    owner, _, method = what.rpartition(".")
    module, _, name = owner.rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    monkeypatch.setattr(kind, method, only_for(jobs[1].folder, getattr(kind, method)))
    run_stack(jobs)
    assert [Results.read(one.folder).status for one in jobs] == ["completed", "failed", "completed"]
    assert Results.read(jobs[1].folder).reason == "OSError: [Errno 28] No space left on device"


def test_a_disk_that_is_full_for_all_ends_the_stack_with_that_reason(job, monkeypatch):
    jobs = [job(name, f"seed={seed}", "checkpoint_every_n_seconds=0") for seed, name in enumerate("ab")]
    monkeypatch.setattr("vaesweep.training.checkpoint_io.AtomicCheckpointIO.write", full)
    with pytest.raises(ConfigError, match=r"^folder: got .* on a full disk"):
        run_stack(jobs)
    assert {Results.read(one.folder).reason for one in jobs} == {"OSError: [Errno 28] No space left on device"}
    assert {Results.read(one.folder).epochs for one in jobs} == {0}


def test_a_record_that_cannot_be_written_costs_that_job_alone(plan, monkeypatch):
    jobs = [plan(name, f"seed={seed}") for seed, name in enumerate("abc")]
    original = Results.write
    monkeypatch.setattr(Results, "write", lambda self, f: full() if f == jobs[0].folder else original(self, f))
    assert train_as_stack(jobs) == jobs[:1]  # to be tried again
    assert [Results.read(one.folder).status for one in jobs[1:]] == ["completed"] * 2


def test_a_folder_in_which_another_process_runs_sends_the_jobs_their_own_way(plan, monkeypatch):
    monkeypatch.setattr("vaesweep.training.run_lock.LOCK_SECONDS", 0.1)
    jobs = [plan("a"), plan("b", "seed=1")]
    jobs[1].folder.mkdir(parents=True)
    with FileLock(jobs[1].folder / ".lock"):
        assert train_as_stack(jobs) == jobs


def test_where_all_diverge_the_study_goes_on(plan):
    jobs = [plan(str(k), "optimizer.lr=1e30", f"seed={k}") for k in range(2)]
    assert train_as_stack(jobs) == []
    assert {Results.read(one.folder).status for one in jobs} == {"failed"}


def test_jobs_that_differ_in_knobs_and_seeds_make_a_stack(job):
    alike = [job(str(k), *own) for k, own in enumerate([*KNOBS, ["model=vae"]])]
    others = [
        job("wide", "model.latent_dim=3"),
        job("wider", "model.latent_dim=3", "seed=1"),
        job("order", "data.seed=1"),
        job("long", "trainer.max_epochs=4"),
        job("ddp", "trainer=ddp", "trainer.devices=2"),
        job("half", "trainer.precision=16-mixed"),
        job("profiled", "+trainer.profiler._target_=lightning.pytorch.profilers.SimpleProfiler"),
        job("limited", "trainer.max_time=00:00:00:10"),
        job("clocked", "callbacks.timer.duration=00:00:00:10"),
        job("wrong", "seed=-1"),
        job("rate", "optimizer.lr=oops"),
        job("timed", "+callbacks.best.every_n_train_steps=5"),
        job("early", "+callbacks.early={_target_:lightning.pytorch.callbacks.EarlyStopping,monitor:val/loss}"),
    ]
    groups = group_jobs([*alike, *others], None)
    assert [sorted(one.folder.name for one in stack) for stack in groups.stacks] == [list("0123"), ["wide", "wider"]]
    reasons = {one.folder.name: reason for one, reason in groups.alone}
    refused = {"wrong", "rate", "timed", "early", "limited", "clocked"}
    assert reasons.keys() == {"order", "long", "ddp", "half", "profiled"} | refused
    shared = "the members of a stack would share the time"
    assert reasons["limited"] == f"trainer.max_time=00:00:00:10: {shared}"
    assert reasons["clocked"] == f"callbacks.timer.duration: {shared}"
    lonely = "no other job differs from it in knobs and seeds alone, at the same step"
    assert reasons["order"] == reasons["long"] == lonely
    assert reasons["rate"] == "optimizer.lr: got oops; allowed: a number above 0"
    assert reasons["timed"] == "callbacks.best.every_n_train_steps: a stack is saved at the end of epochs"
    assert reasons["ddp"] == "trainer.devices=2: a stack is trained on one device"
    assert reasons["half"].startswith("trainer.precision=16-mixed: ")
    assert reasons["profiled"] == "trainer.profiler: a profile is of one run"
    assert reasons["wrong"] == "seed: got -1; allowed: a whole number from 0 to 4294967295"
    assert reasons["early"] == "callbacks.early: a EarlyStopping may act on the whole run"


def test_convolutions_on_a_cpu_are_left_to_the_pool(job, monkeypatch):
    jobs = [
        job(f"{network}{seed}", f"network={network}", f"seed={seed}", small=["model=beta_vae"])
        for network in ("conv", "mlp")
        for seed in (0, 1)
    ]
    groups = group_jobs(jobs, None)
    assert [one.folder.name for one in groups.stacks[0]] == ["mlp0", "mlp1"]
    assert {(one.folder.name, why) for one, why in groups.alone} == {
        (name, "convolutions on a CPU are trained faster one by one") for name in ("conv0", "conv1")
    }
    monkeypatch.setattr("vaesweep.stacking.grouping.gpu_index", lambda config: 0)
    monkeypatch.setattr("vaesweep.stacking.grouping.free_bytes", lambda gpu: 2**33)
    assert [len(stack) for stack in group_jobs(jobs, None).stacks] == [2, 2]


def test_a_stack_too_large_is_split_into_the_largest_that_fit(job, digits, model):
    jobs = [job(str(k), f"seed={k}") for k in range(5)]
    each = footprint(model(*SMALL[:2]), next(iter(digits.train_dataloader())))
    groups = group_jobs(jobs, 2.5 * each / 2**30)
    assert [len(stack) for stack in groups.stacks] == [2, 2]
    assert [reason for _, reason in groups.alone] == [f"no room for a second of {each / 2**20:.0f} MiB a member"]
    assert re.fullmatch(r"5 members of \d+ MiB a member do not fit into 0.0 GiB: 2 at a time", groups.messages[0])


def test_there_are_stacks_for_all_slots_where_each_can_have_two_members(job):
    jobs = [job(str(k), f"seed={k}") for k in range(7)]
    sizes = {slots: [len(stack) for stack in group_jobs(jobs, None, slots).stacks] for slots in (1, 2, 3, 8)}
    assert sizes == {1: [7], 2: [4, 3], 3: [3, 2, 2], 8: [3, 2, 2]}
    others = [job(f"wide{k}", "model.latent_dim=3", f"seed={k}") for k in range(4)]
    assert [len(stack) for stack in group_jobs([*jobs, *others], None, 2).stacks] == [7, 4]
    assert [len(stack) for stack in group_jobs([*jobs, *others], None, 3).stacks] == [4, 3, 2, 2]


def test_halves_go_on_from_one_step_each(job):
    jobs = [job(str(k), f"seed={k}", "resume=true") for k in range(5)]
    for one, step in zip(jobs, (40, 40, 40, 21, 40), strict=True):
        (one.folder / "checkpoints").mkdir()
        torch.save({"global_step": step}, one.folder / "checkpoints" / "last.ckpt")
    assert [[one.folder.name for one in half] for half in halves(jobs)] == [["0", "1"], ["2", "4"], ["3"]]


def test_peak_counts_what_is_alive_at_a_time():
    with PeakMemory() as peak:
        a = torch.ones(1000)
        b = a.view(10, 100) + 1  # a view is no new memory
        del a
        c = torch.cat([b, b])
        del b
    assert peak.most == 4 * 3000
    assert peak.now == c.nbytes


def test_what_cannot_be_stacked_runs_alone_and_it_is_said_why(plan, monkeypatch, capsys):
    def broken(self, batch, noise):
        raise RuntimeError("vmap: no such\nrule")

    monkeypatch.setattr(Stack, "forward", broken)
    jobs = [plan("a"), plan("b", "seed=1")]
    assert train_as_stack(jobs) == jobs
    assert all(job.arguments[-2] == "resume=true" for job in jobs)
    assert (
        "a stack of 2 cannot be trained (RuntimeError: vmap: no such rule): 2 jobs run alone" in capsys.readouterr().out
    )


def test_a_folder_that_cannot_be_made_costs_its_job_alone(plan, monkeypatch, tmp_path):
    launcher = StackLauncher(None, None, None)
    launcher.config = OmegaConf.create({"hydra": {"sweeper": {}}})
    jobs = [plan(name, f"seed={seed}") for seed, name in enumerate(("a", "b", "unmade"))]
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "unmade").touch()
    stacked, left = [], []
    monkeypatch.setattr(launcher, "train", lambda study, pool, stacks, *rest: stacked.extend(stacks) or [])
    monkeypatch.setattr(launcher, "run_pool", lambda study, plans: left.extend(plans))
    launcher.work(tmp_path / "study", jobs)
    assert [[one.folder.name for one in stack] for stack in stacked] == [["a", "b"]]
    assert left == [jobs[2]]


def test_the_training_loss_can_choose_the_best_as_in_a_run_alone(job):
    told = "callbacks.best.monitor=loss", "test_checkpoint=best", "trainer.max_epochs=2"
    members, alone = [job(str(k), *told, f"seed={k}") for k in (0, 1)], job("alone", *told, "seed=1")
    run_stack(members)
    run_and_record(alone)
    states = [checkpoint(each)["callbacks"] for each in (members[1], alone)]
    best = [next(state["best_model_score"] for key, state in each.items() if "'loss'" in key) for each in states]
    assert best[0].item() == pytest.approx(best[1].item(), rel=1e-4)


def test_what_the_gpu_has_no_room_for_is_halved(plan, monkeypatch, capsys):
    sizes = []

    def run_stack(jobs):
        sizes.append(len(jobs))
        if len(jobs) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        assert all(one.config.resume for one in jobs)
        for one in jobs:
            one.results.status = "completed"
            one.results.write(one.folder)

    monkeypatch.setattr(stack_training, "run_stack", run_stack)
    jobs = [plan(str(k), f"seed={k}") for k in range(5)]
    assert train_as_stack(jobs) == []
    assert sizes == [5, 3, 2, 2, 1]
    assert all(job.completed for job in jobs)
    assert "5 members do not fit (OutOfMemoryError: CUDA out of memory): 3 at a time" in capsys.readouterr().out


def test_a_study_on_the_command_line(tmp_path):
    swept = ["-m", "model=beta_vae", "seed=0,1,-1", *QUICK]
    done = train(tmp_path, *swept, "hydra/launcher=stack")
    assert done.returncode == 1  # for the seed that is none
    study = only(tmp_path)
    assert "3 jobs; a stack of 2; 1 alone" in done.stdout
    assert re.search(r"alone: \S+: seed: got -1; allowed: a whole number from 0 to 4294967295", done.stdout)
    folders = [path.parent for path in study.glob("*/results.json")]
    ended = sorted((record(folder)["status"], record(folder)["trained_together"]) for folder in folders)
    assert ended == [("completed", 2), ("completed", 2), ("failed", 1)]
    assert all((folder / ".hydra" / "config.yaml").is_file() for folder in folders)
    assert compare([str(study)]) == 0
    again = train(tmp_path, *swept, "hydra/launcher=stack", "resume=true")
    assert "3 jobs, 2 completed earlier; 1 alone" in again.stdout


def test_a_stack_that_is_stopped_keeps_the_reasons_of_its_members(plan, tmp_path):
    jobs = [plan(name, f"seed={seed}") for seed, name in enumerate("abc")]
    ends = ("interrupted", "SIGTERM"), ("failed", "kl is nan at step 3")
    for one, (status, reason) in zip(jobs, ends, strict=False):  # the third was killed
        one.folder.mkdir(parents=True)
        one.results.status, one.results.reason = status, reason
        one.results.write(one.folder)
    stopped = Command([], tmp_path / "stack", failure="timeout: ran longer than 1 s", timed_out=True)
    lines = [one.finish(stopped) for one in jobs]
    late = "timeout: ran longer than 1 s"
    assert [Results.read(one.folder).reason for one in jobs] == [late, "kl is nan at step 3", late]
    assert all(Results.read(one.folder).status == "failed" for one in jobs)
    assert all(line.endswith(f"(see {os.path.relpath(tmp_path / 'stack' / LOG)})") for line in lines)


ON_DISK = [*SMALL[:2], *QUICK, "trainer.max_epochs=30", "checkpoint_every_n_seconds=0"]
FOUR = ["-m", *ON_DISK, "seed=0,1,2,3", "hydra/launcher=stack"]


def members(folder):
    """The folders of the jobs of the study by their seed."""
    return {int(re.search(r"seed=(\d)", path.name)[1]): path for path in folder.glob("runs/*/*seed=*")}


def checkpoints(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/*/checkpoints/last.ckpt")}


def assert_completed_as_if_alone(config, folder, alone, together):
    """That all members of the study are completed, and that one of them is as in a run of its own."""
    assert statuses(only(folder)) == dict.fromkeys(range(4), ("completed", None))
    for member in members(folder).values():
        assert record(member)["trained_together"] == together
        assert pd.read_csv(member / "history.csv").epoch.tolist() == list(range(1, 31))
    run(config(*ON_DISK, "seed=3", folder=alone))
    assert record(members(folder)[3])["metrics"] == pytest.approx(record(alone)["metrics"], rel=1e-3)


@pytest.mark.nightly
def test_two_stacks_at_a_time_are_stopped_and_killed_with_the_launcher_and_resumed(config, tmp_path):
    study = tmp_path / "study"
    study.mkdir()
    for signum, code in ((signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)):
        before = checkpoints(study)
        with started(study, *FOUR, "hydra.launcher.n_jobs=2", "resume=true") as launcher:
            wait_for(lambda before=before: len(checkpoints(study).items() - before.items()) == 4)
            processes = {tuple(at_work(member)) for member in members(study).values()}
            assert len(processes) == 2
            launcher.send_signal(signum)
            said, errors = launcher.communicate()
        assert launcher.returncode == code, errors
        assert "4 jobs; a stack of 2; a stack of 2\n" in said
        assert ("stopped; resume=" in errors) == (signum == signal.SIGTERM)
        # stacks outlive a launcher that is killed by a moment only
        wait_for(lambda: not any(at_work(member) for member in members(study).values()))
        assert statuses(only(study)) == dict.fromkeys(range(4), ("interrupted", "SIGTERM"))
    done = train(study, f"resume={only(study)}")
    assert done.returncode == 0, done.stderr + done.stdout
    assert re.search(r"4 of 4: completed \S+ in \d+ s\s+4 of 4 jobs completed in", done.stdout)
    assert_completed_as_if_alone(config, study, tmp_path / "alone", together=2)
    assert compare([str(only(study))]) == 0


def test_a_stack_that_is_killed_goes_on_in_halves(config, tmp_path):
    study = tmp_path / "study"
    study.mkdir()
    with started(study, *FOUR, "hydra.launcher.n_jobs=1") as launcher:
        wait_for(lambda: len(checkpoints(study)) == 4)
        (process,) = at_work(members(study)[0])
        os.kill(process, signal.SIGKILL)
        said, errors = launcher.communicate()
    assert launcher.returncode == 0, errors
    assert "4 jobs; a stack of 4\n" in said
    assert "4 members do not fit (killed by SIGKILL (out of memory?)): 2 at a time" in said
    assert_completed_as_if_alone(config, study, tmp_path / "alone", together=2)
    logs = [log.read_text() for log in only(study).glob(".stacks/*/console.log")]
    resumed = [re.findall(r"^epoch (\d+)/30", log, re.MULTILINE) for log in logs]
    assert len(resumed) == 2
    assert "0" not in resumed[0] or "0" not in resumed[1]  # one of them is also the log of the stack that was killed


def test_a_stack_that_takes_too_long_is_stopped_and_its_members_are_failed(tmp_path):
    done = train(tmp_path, *FOUR, "trainer.max_epochs=100000", "hydra.launcher.timeout=6", "hydra.launcher.n_jobs=1")
    assert done.returncode == 1
    reason = "timeout: ran longer than 6 s"
    assert statuses(only(tmp_path)) == dict.fromkeys(range(4), ("failed", reason))
    assert re.search(rf"4 of 4: failed \S+ in \d+ s: {reason} \(see runs/\S+/.stacks/\S+/console.log\)", done.stdout)

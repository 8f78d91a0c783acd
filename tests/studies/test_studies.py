"""Studies on the command line: pools, failures, resumption."""

import os
import signal

import pandas as pd
import pytest
import torch

from compare import main as compare
from support.commands import QUICK, at_work, only, record, started, statuses, train, wait_for
from support.wandb_offline_runs import recorded
from vaesweep.records import wandb_lifecycle
from vaesweep.training.run_and_record import run

pytestmark = pytest.mark.slow

LONG = [*QUICK, "trainer.max_epochs=30", "checkpoint_every_n_seconds=0"]
POOL = ["hydra/launcher=pool", "hydra.launcher.n_jobs=2"]


def test_four_jobs_of_which_one_raises_and_one_is_killed_and_resume_runs_just_those(tmp_path):
    arguments = ["-m", "model=vae", "seed=0,1,2,-1", *LONG, *POOL]
    with started(tmp_path, *arguments) as study:
        wait_for(lambda: list(tmp_path.glob("runs/*/*seed=2*/checkpoints/last.ckpt")))
        (process,) = at_work(next(tmp_path.glob("runs/*/*seed=2*")))
        os.kill(process, signal.SIGKILL)
        said, errors = study.communicate()
    assert study.returncode == 1, errors
    assert "2 of 4 jobs failed" in errors
    expected = dict.fromkeys(range(3), ("completed", None))
    refused = ("failed", "seed: got -1; allowed: a whole number from 0 to 4294967295")
    assert statuses(only(tmp_path)) == expected | {2: ("failed", "killed by SIGKILL (out of memory?)"), -1: refused}
    assert "SIGKILL" in said
    assert "2 completed" not in said  # nothing was there before

    written = {path: path.stat().st_mtime_ns for path in only(tmp_path).glob("*/results.json")}
    again = train(tmp_path, *arguments, "resume=true")
    assert again.returncode == 1
    assert "4 jobs, 2 completed earlier" in again.stdout
    assert statuses(only(tmp_path)) == expected | {-1: refused}
    anew = {path for path, time in written.items() if path.stat().st_mtime_ns != time}
    assert {record(path.parent)["seed"] for path in anew} == {2, -1}


def results(folder):
    """runs.csv without the times, and the weights."""
    assert compare([str(only(folder))]) == 0
    table = pd.read_csv(only(folder) / "report" / "runs.csv").drop(columns=["seconds"])
    last = [torch.load(only(folder) / run / "checkpoints" / "last.ckpt", weights_only=True) for run in table.run]
    return table, [checkpoint["state_dict"] for checkpoint in last]


def test_a_study_that_is_stopped_and_killed_is_resumed_as_if_nothing_had_happened(config, tmp_path):
    """Ctrl-C while it trains, SIGKILL to the parent when it trains again; against runs that nothing happened to."""
    arguments = ["-m", "model=vae", "seed=0,1", *LONG, *POOL]
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    disturbed.mkdir()

    def checkpoints():
        return {path: path.stat().st_mtime_ns for path in disturbed.glob("runs/*/*/checkpoints/last.ckpt")}

    for signum, code in ((signal.SIGINT, 128 + signal.SIGINT), (signal.SIGKILL, -signal.SIGKILL)):
        before = checkpoints()
        with started(disturbed, *arguments, "resume=true") as study:
            wait_for(lambda before=before: len(checkpoints().items() - before.items()) == 2)
            assert all(at_work(path.parent.parent) for path in checkpoints())
            study.send_signal(signum)
            _, errors = study.communicate()
        assert study.returncode == code, errors
        # jobs outlive a launcher that is killed by a moment only
        wait_for(lambda: not any(at_work(path.parent.parent) for path in checkpoints()))
    done = train(disturbed, *arguments, "resume=true")
    assert done.returncode == 0, done.stderr + done.stdout
    for folder in only(disturbed).glob("*seed=*"):
        seed = f"seed={record(folder)['seed']}"
        run(
            config(
                "model=vae",
                seed,
                "test_samples=10",
                *LONG,
                folder=undisturbed / "runs" / only(disturbed).name / folder.name,
            )
        )
    (table, weights), (expected_table, expected_weights) = results(disturbed), results(undisturbed)
    pd.testing.assert_frame_equal(table, expected_table, check_exact=True)
    for mine, theirs in zip(weights, expected_weights, strict=True):
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_more_values_are_more_jobs(tmp_path):
    arguments = ["-m", "model=vae", *QUICK]
    assert train(tmp_path, *arguments, "seed=0,1").returncode == 0
    written = {path: path.stat().st_mtime_ns for path in only(tmp_path).glob("*/results.json")}
    done = train(tmp_path, f"resume={only(tmp_path)}", "seed=0,1,2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("completed earlier") == 2
    assert set(statuses(only(tmp_path))) == {0, 1, 2}
    assert all(path.stat().st_mtime_ns == time for path, time in written.items())


def test_a_job_that_is_listed_twice_is_run_once(tmp_path):
    done = train(tmp_path, "-m", "model=beta_vae", *QUICK, "model.beta=1,2,1.0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("completed earlier") == 1
    assert len(list(only(tmp_path).glob("*/results.json"))) == 2


def test_a_finished_job_is_not_run_over(tmp_path):
    arguments = ["-m", "model=vae", "seed=0", *QUICK, "hydra.sweep.dir=study"]
    assert train(tmp_path, *arguments).returncode == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("study/*/results.json")}
    done = train(tmp_path, *arguments, *POOL)
    assert done.returncode == 1
    assert "resume: got false in the folder of an earlier job" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("study/*/results.json")} == before


@pytest.mark.nightly
def test_a_data_parallel_job_in_a_pool_has_one_folder_and_one_recording(tmp_path):
    two = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
    done = train(tmp_path, "-m", "model=vae", "seed=3", *QUICK, "logger=wandb", *POOL, *two)
    assert done.returncode == 0, done.stderr + done.stdout
    (folder,) = [path for path in only(tmp_path).iterdir() if path.is_dir()]
    assert (record(folder)["status"], record(folder)["seed"]) == ("completed", 3)
    assert len(wandb_lifecycle.recordings(folder)) == 1
    run = recorded(folder)
    assert (run["name"].split()[:2], run["tags"]) == (["vae", "digits"], ["vae", "digits"])
    assert run["name"].endswith("seed=3")


def test_a_pool_takes_flags_and_a_time_limit_and_says_who_ran_out_of_it(tmp_path):
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "wide.yaml").write_text("defaults: [vae]\nlatent_dim: 30\n")
    arguments = ["-m", "--config-dir", "mine", "model=wide", *POOL, "hydra.run.dir=elsewhere"]
    done = train(tmp_path, *arguments, *QUICK)
    assert done.returncode == 0, done.stderr + done.stdout
    (folder,) = [path for path in only(tmp_path).iterdir() if path.is_dir()]
    assert record(folder)["config"]["model"]["latent_dim"] == 30
    done = train(tmp_path, *arguments, "seed=1", "logger=none", "hydra.launcher.timeout=0.5")
    assert done.returncode == 1
    assert "timeout: ran longer than 0.5 s (see its console.log)" in done.stdout


def test_data_parallel_jobs_in_one_process_are_refused(tmp_path):
    two = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
    done = train(tmp_path, "-m", "model=vae", "seed=0", "callbacks=no_figures", *two)
    assert done.returncode == 1
    assert "trainer.devices: got 2 in a sweep of one process; allowed: hydra/launcher=pool" in done.stderr
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_two_studies_started_in_the_same_second_have_folders_of_their_own(tmp_path):
    arguments = ["-m", "model=vae", "seed=0", *QUICK, "trainer.max_epochs=1"]
    with started(tmp_path, *arguments) as first, started(tmp_path, *arguments) as second:
        assert [first.wait(), second.wait()] == [0, 0]
    assert len(list((tmp_path / "runs").iterdir())) == 2


@pytest.mark.parametrize("setting", ["model.free_bits=nan", "data.root=3"])
def test_jobs_with_a_value_of_no_use_fail_alone(tmp_path, setting):
    done = train(tmp_path, "-m", "model=vae", "data=mnist", setting, "seed=0,1", *POOL)
    assert done.returncode == 1
    assert "2 of 2 jobs failed" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    kept = [record(path.parent) for path in only(tmp_path).glob("*/results.json")]
    assert [one["status"] for one in kept] == ["failed"] * 2
    assert all(one["reason"].startswith(f"{setting.partition('=')[0]}: got ") for one in kept)

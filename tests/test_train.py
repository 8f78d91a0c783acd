"""The command line, as a person uses it."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
import torch

from support.commands import QUICK, command, record, train, weights
from support.paths import ROOT
from vaesweep.records.per_image_scores import read_image_scores
from vaesweep.training.run_and_record import run

pytestmark = pytest.mark.slow


def test_help_lists_the_groups_without_importing_torch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "src" / "train.py"), "--help"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for group in (
        "model",
        "network",
        "data",
        "optimizer",
        "trainer",
        "logger",
        "callbacks",
        "experiment",
        "sweeps",
        "debug",
    ):
        names = re.search(rf"^  {group} +(.+)\n +(.*{group}.*)$", done.stdout, re.MULTILINE)
        assert names, group
        offered = {file.stem for file in (ROOT / "conf" / group).glob("[!_]*.yaml")}
        assert all(name in names[1] for name in offered), offered
    assert not re.search(r"\| +(torch|lightning|wandb)$", done.stderr, re.MULTILINE)


def test_the_configuration_is_printed_without_importing_torch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "src" / "train.py"), "--cfg", "job"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "latent_dim: 10" in done.stdout
    assert not re.search(r"\| +(torch|lightning|wandb)$", done.stderr, re.MULTILINE)


def test_a_bad_override_is_refused_without_importing_torch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "src" / "train.py"), "model.beta=abc"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: model.beta: got abc; allowed: a number of at least 0"
    assert not re.search(r"\| +(torch|lightning|wandb)$", done.stderr, re.MULTILINE)


@pytest.mark.nightly
def test_training_starts_without_what_only_others_need(tmp_path):
    imported = "vaesweep.training.fast_lightning_import, vaesweep.training.run_and_record"
    code = f"import gc, sys, {imported}; print(*sys.modules, gc.get_freeze_count() > 100_000)"
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not {"scipy", "torchvision", "matplotlib", "pandas", "sklearn"} & {*done.stdout.split()}
    assert done.stdout.split()[-1] == "True"  # the garbage collector passes them by


def test_the_first_command_of_the_readme(tmp_path):
    done = train(tmp_path, "model=beta_vae", "model.beta=4", "trainer.max_epochs=2")
    assert done.returncode == 0, done.stderr
    (left,) = (tmp_path / "runs").iterdir()
    assert record(left)["status"] == "completed"
    assert record(left)["overrides"] == ["model=beta_vae", "model.beta=4", "trainer.max_epochs=2"]
    assert (left / ".hydra" / "config.yaml").exists()
    assert list((left / "wandb").glob("offline-run-*"))
    assert f"run folder   {left.relative_to(tmp_path)}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["model=gan"], r"error: model: got gan; allowed: ae \| beta_tcvae \| beta_vae \| contractive \| cvae .*"),
        (["model.bta=4"], r"error: model.bta: no such key .*"),
        (["model.latent_dim=0"], r"error: model.latent_dim: got 0; allowed: a whole number of at least 1"),
        (["beta=4"], r"error: beta: no such key here; allowed: .* \(did you mean model.beta\?\)"),
        (
            ["sweeps=beta_ladder"],
            r"error: sweeps: got beta_ladder without -m; allowed: python src/train.py -m sweeps=.*",
        ),
        (["hydra/launcher=pool"], r"error: hydra/launcher: got pool without -m; allowed: python src/train.py -m .*"),
        (["resume=nowhere"], r"error: resume: got nowhere; allowed: the folder of an earlier run .*"),
        (["model=null"], r"error: model: got null; allowed: ae \| .*"),
        (["optimizer=[]"], r"error: optimizer: got nothing; allowed: optimizer=adam \| adam_constant"),
        (["data=mnist", "data.root=nowhere"], r"error: data.root: got nowhere; allowed: a folder that exists .*"),
        (["+trainer.num_nodes=2"], r"error: trainer.num_nodes: got 2; allowed: 1, or trainer=ddp .*"),
        (["data=folder"], r"error: .*data.path.*"),
        (["model=[1"], r"error: .*model=\[1.*"),
        (["hydra.run.dir=/dev/null/x"], r"error: hydra.run.dir: got /dev/null/x, which cannot be created .*"),
        (["-m", "seed=0", "hydra.sweep.dir=/dev/null/x"], r"error: hydra.sweep.dir: got /dev/null/x, which cannot .*"),
        (["folder=elsewhere"], r"error: folder: got elsewhere; allowed: as Hydra makes it: hydra.run.dir=FOLDER .*"),
    ],
)
def test_bad_input_is_one_line_and_a_code(tmp_path, arguments, line):
    done = train(tmp_path, *arguments)
    assert done.returncode == 1
    assert re.fullmatch(line, done.stderr.strip()), done.stderr


def test_a_sweep_runs_every_job_and_the_code_tells_of_a_failure(tmp_path):
    done = train(tmp_path, "-m", "model=vae", "model.latent_dim=0,2", "seed=0,1", *QUICK)
    assert done.returncode == 1
    (sweep,) = (tmp_path / "runs").iterdir()
    ended = [record(job)["status"] for job in sorted(p for p in sweep.iterdir() if p.is_dir())]
    assert ended == ["failed", "failed", "completed", "completed"]


def test_ctrl_c_leaves_a_checkpoint_to_go_on_from(tmp_path):
    settings = [
        "model=vae",
        "callbacks=no_figures",
        "logger=none",
        "trainer=cpu",
        "trainer.max_epochs=40",
        "checkpoint_every_n_seconds=0",
        "data=digits",
        "hydra.run.dir=run",
    ]
    with subprocess.Popen(command(*settings), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as job:
        checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
        for _ in range(600):
            if checkpoint.exists():
                break
            time.sleep(0.1)
        job.send_signal(signal.SIGINT)
        errors = job.stderr.read().decode()
    assert job.returncode == 128 + signal.SIGINT, errors
    assert record(tmp_path / "run")["reason"] == "SIGINT"
    reached = weights(tmp_path / "run")["epoch"]
    done = train(tmp_path, "resume=run")
    assert done.returncode == 0, done.stderr
    assert reached < 40
    assert record(tmp_path / "run")["epochs"] == 40


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(["model=sparse"], marks=pytest.mark.nightly),
        ["model=beta_tcvae", "data.binarize=dynamic"],
        ["model=cvae", "data.batch_size=400"],  # one batch to validate with, for two processes
    ],
    ids=["sparse", "beta_tcvae", "fewer batches than processes"],
)
def test_two_processes_give_the_weights_of_one(config, tmp_path, settings):
    exact = [*settings, *QUICK, "trainer.precision=64-true", "test_samples=1"]
    run(config(*exact, folder=tmp_path / "alone"))
    two = [*exact, "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "hydra.run.dir=both"]
    both = train(tmp_path, *two)
    assert both.returncode == 0, both.stderr
    states = [weights(tmp_path / name)["state_dict"] for name in ("alone", "both")]
    for name, value in states[0].items():
        assert torch.allclose(value, states[1][name], rtol=0, atol=1e-9), name
    records = [record(tmp_path / name) for name in ("alone", "both")]
    assert [left["device"] for left in records] == ["cpu", "2 x cpu"]
    assert records[0]["metrics"] == pytest.approx(records[1]["metrics"], rel=1e-5)
    assert records[0]["errors"] == pytest.approx(records[1]["errors"], rel=1e-4)
    scores = [read_image_scores(tmp_path / name) for name in ("alone", "both")]  # in the order of the images
    assert all(scores[0][name] == pytest.approx(scores[1][name], rel=1e-4) for name in scores[0])
    assert records[0]["config_hash"] == records[1]["config_hash"]

"""W&B without a network: offline by default, never a prompt, never a hang, one run a job."""

import json
import socket
import subprocess
import sys

import pytest

from support.commands import PATIENCE
from support.wandb_offline_runs import recorded
from vaesweep.errors import ConfigError
from vaesweep.records import wandb_lifecycle, wandb_logger
from vaesweep.records.log_to_loggers import log_results, log_settings
from vaesweep.records.results import Results
from vaesweep.records.run_name import run_name

CONFIG = {"model": {"beta": 4.0, "schedule": {"warmup": 0.1}}, "seed": 3}
KL = {"terms": {"kl": "nats per image"}, "rate": "kl", "rate_weight": "beta", "dimension_unit": "KL (nats)"}
OPTIONS = {
    "project": "tests", "entity": None, "name": "a run", "group": None, "job_type": "train", "notes": None,
    "tags": ["x"], "log_model": False,
}  # fmt: skip


def results(*overrides, **more):
    """The record of a completed run."""
    kept = {"metrics": {"test/active_units": 1.0}, "dimensions": [2.5, 0.0], "parameters": 7, "declaration": KL}
    return Results("beta_vae", "digits", 3, ["model=beta_vae", *overrides], "abc", CONFIG, "completed", **kept | more)


@pytest.fixture(autouse=True)
def closed(monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", "/nonexistent")
    yield
    for folder in list(wandb_lifecycle.OPEN_RUNS):
        wandb_lifecycle.finish(folder, failed=False)


@pytest.mark.slow
def test_an_offline_run_keeps_settings_once_and_how_it_ended(tmp_path):
    logger = wandb_logger.wandb_logger(tmp_path, mode="offline", **OPTIONS)
    log_settings([logger], results())
    logger.log_metrics({"test/loss": 1.5}, step=7)
    wandb_lifecycle.finish(tmp_path, failed=True)
    run = recorded(tmp_path)
    assert {key: value for key, value in run["config"].items() if key != "_wandb"} == CONFIG
    assert (run["name"], run["project"], run["tags"]) == ("a run", "tests", ["x"])
    assert (run["summary"]["test/loss"], run["summary"]["trainer/global_step"]) == (1.5, 7)
    assert run["exit_code"] == 1


@pytest.mark.slow
def test_the_jobs_of_a_study_share_a_group(tmp_path):
    (tmp_path / "multirun.yaml").touch()
    for group, expected in ((None, tmp_path.name), ("mine", "mine")):
        folder = tmp_path / str(group)
        folder.mkdir()
        assert (
            wandb_logger.wandb_logger(folder, mode="offline", **OPTIONS | {"group": group}).experiment.group == expected
        )
        wandb_lifecycle.finish(folder, failed=False)


@pytest.mark.slow
def test_each_job_has_a_run_of_its_own_and_a_resumed_one_keeps_its_id(tmp_path):
    ids = []
    for folder in (tmp_path / "a", tmp_path / "b", tmp_path / "a"):
        folder.mkdir(exist_ok=True)
        ids.append(wandb_logger.wandb_logger(folder, mode="offline", **OPTIONS).experiment.id)
        wandb_lifecycle.finish(folder, failed=False)
    assert ids[0] == ids[2] != ids[1]


def test_disabled_leaves_nothing(tmp_path):
    wandb_logger.wandb_logger(tmp_path, mode="disabled", **OPTIONS).log_metrics({"a": 1.0}, step=0)
    wandb_lifecycle.finish(tmp_path, failed=False)
    assert not wandb_lifecycle.sync_commands(tmp_path)


def test_online_without_a_key_is_refused_at_once(tmp_path):
    with pytest.raises(ConfigError, match="mode: got online without an API key; allowed: online after `wandb login`"):
        wandb_logger.wandb_logger(tmp_path, mode="online", **OPTIONS)


def test_an_unknown_mode_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"mode: got cloud; allowed: offline \| online \| disabled"):
        wandb_logger.wandb_logger(tmp_path, mode="cloud", **OPTIONS)


@pytest.mark.slow
def test_online_without_an_answer_falls_back_to_offline(tmp_path):
    """In a process of its own, because W&B keeps the address of its server for good."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "from pathlib import Path; from vaesweep.records import wandb_lifecycle, wandb_logger;"
        "wandb_lifecycle.TIMEOUT = 2;"
        f"here = Path({str(tmp_path)!r});"
        "wandb_logger.wandb_logger(here, mode='online', project='p', entity=None, name='n', group=None,"
        "job_type=None, notes=None, tags=[], log_model=False);"
        "wandb_lifecycle.finish(here, False)"
    )
    env = {
        "WANDB_API_KEY": "0" * 40,
        "WANDB_BASE_URL": f"http://127.0.0.1:{port}",
        "PYTHONPATH": "src",
        "HOME": str(tmp_path),
    }
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert "recording offline" in done.stderr
    assert wandb_lifecycle.recordings(tmp_path)[-1].name.startswith("offline-run-")


@pytest.mark.parametrize(
    ("overrides", "more", "name"),
    [
        ([], {}, "beta_vae digits seed=3"),
        (["model.beta=4", "data=digits"], {"rate_weight": 4.0}, "beta_vae digits beta=4 seed=3"),
        (["seed=3", "trainer.max_epochs=9", "data.root=/x"], {"rate_weight": 0.5}, "beta_vae digits beta=0.5 seed=3"),
        (
            ["+network=conv", "model/schedule=linear", "model.schedule.warmup=0.2", "optimizer.lr=1e-3", "resume=true"],
            {"rate_weight": 1.0},
            "beta_vae digits beta=1 network=conv schedule=linear warmup=0.2 lr=1e-3 seed=3",
        ),
        (["model._target_=my.Model", "logger.wandb.project=p"], {"declaration": {}}, "beta_vae digits seed=3"),
    ],
)
def test_a_name_says_model_data_weight_settings_and_seed(overrides, more, name):
    assert run_name(results(*overrides, **more)) == name


@pytest.mark.slow
def test_the_summary_has_the_size_the_collapse_and_a_chart_of_the_dimensions(tmp_path):
    for active in (0.0, 1.0):
        folder = tmp_path / str(active)
        folder.mkdir()
        logger = wandb_logger.wandb_logger(folder, mode="offline", **OPTIONS)
        log_results([logger], results(metrics={"test/active_units": active}), {})
        wandb_lifecycle.finish(folder, failed=False)
        summary = recorded(folder)["summary"]
        assert (summary["parameters"], summary["collapsed"]) == (7, active == 0)
    (file,) = wandb_lifecycle.recordings(folder)[-1].glob("files/media/table/dimensions_table_*.json")
    table = json.loads(file.read_text())
    assert (table["columns"], table["data"]) == (["dimension", "KL (nats)"], [["0", 2.5], ["1", 0.0]])


@pytest.mark.slow
def test_results_that_w_and_b_does_not_take_do_not_fail_the_run(tmp_path, monkeypatch, caplog):
    logger = wandb_logger.wandb_logger(tmp_path, mode="offline", **OPTIONS)
    monkeypatch.setattr(wandb_logger, "dimension_chart", lambda *_: 1 / 0)
    log_results([logger], results(), {})
    assert "W&B did not take the results (division by zero)" in caplog.text


def test_hints_name_the_commands(tmp_path):
    wandb_logger.wandb_logger(tmp_path, mode="offline", **OPTIONS)
    wandb_lifecycle.finish(tmp_path, failed=False)
    look, upload = wandb_lifecycle.sync_commands(tmp_path)
    assert look.startswith("wandb leet ")
    assert upload.startswith("wandb sync ")


@pytest.mark.slow
@pytest.mark.nightly
def test_evaluation_and_report_do_without_w_and_b():
    modules = "vaesweep.evaluation.evaluate_command, vaesweep.report.report, compare"
    code = f"import sys; sys.modules['wandb'] = None; import {modules}"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": "src"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

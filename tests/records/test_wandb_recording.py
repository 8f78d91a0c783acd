"""W&B without a network: offline by default, never a prompt, never a hang, one run a job."""

import socket
import subprocess
import sys

import pytest

from support.recordings import recorded
from vaesweep.checks import ConfigError
from vaesweep.records import wandb_recording
from vaesweep.records.log_to_loggers import log_settings

CONFIG = {"model": {"beta": 4.0, "schedule": {"warmup": 0.1}}, "seed": 3}
OPTIONS = {
    "project": "tests", "entity": None, "name": "a run", "group": None, "job_type": "train", "notes": None,
    "tags": ["x"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def closed(monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", "/nonexistent")
    yield
    for folder in list(wandb_recording.OPEN_RUNS):
        wandb_recording.finish(folder, failed=False)


def test_an_offline_run_keeps_config_nested_and_knobs_flat_and_how_it_ended(tmp_path):
    logger = wandb_recording.wandb_logger(tmp_path, mode="offline", **OPTIONS)
    log_settings([logger], CONFIG)
    logger.log_metrics({"test/loss": 1.5}, step=7)
    wandb_recording.finish(tmp_path, failed=True)
    run = recorded(tmp_path)
    assert run["config"]["model"] == CONFIG["model"]
    flat = {"model.beta": 4, "model.schedule.warmup": 0.1, "seed": 3}
    assert {key: run["config"][key] for key in flat} == flat
    assert (run["name"], run["project"], run["tags"]) == ("a run", "tests", ["x"])
    assert (run["summary"]["test/loss"], run["summary"]["trainer/global_step"]) == (1.5, 7)
    assert run["exit_code"] == 1


def test_the_jobs_of_a_study_share_a_group(tmp_path):
    (tmp_path / "multirun.yaml").touch()
    for group, expected in ((None, tmp_path.name), ("mine", "mine")):
        folder = tmp_path / str(group)
        folder.mkdir()
        assert (
            wandb_recording.wandb_logger(folder, mode="offline", **OPTIONS | {"group": group}).experiment.group
            == expected
        )
        wandb_recording.finish(folder, failed=False)


def test_each_job_has_a_run_of_its_own_and_a_resumed_one_keeps_its_id(tmp_path):
    ids = []
    for folder in (tmp_path / "a", tmp_path / "b", tmp_path / "a"):
        folder.mkdir(exist_ok=True)
        ids.append(wandb_recording.wandb_logger(folder, mode="offline", **OPTIONS).experiment.id)
        wandb_recording.finish(folder, failed=False)
    assert ids[0] == ids[2] != ids[1]


def test_disabled_leaves_nothing(tmp_path):
    wandb_recording.wandb_logger(tmp_path, mode="disabled", **OPTIONS).log_metrics({"a": 1.0}, step=0)
    wandb_recording.finish(tmp_path, failed=False)
    assert not wandb_recording.sync_commands(tmp_path)


def test_online_without_a_key_is_refused_at_once(tmp_path):
    with pytest.raises(ConfigError, match="mode: got online without an API key; allowed: online after `wandb login`"):
        wandb_recording.wandb_logger(tmp_path, mode="online", **OPTIONS)


def test_an_unknown_mode_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"mode: got cloud; allowed: offline \| online \| disabled"):
        wandb_recording.wandb_logger(tmp_path, mode="cloud", **OPTIONS)


@pytest.mark.slow
def test_online_without_an_answer_falls_back_to_offline(tmp_path):
    """In a process of its own, because W&B keeps the address of its server for good."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "from pathlib import Path; from vaesweep.records import wandb_recording;"
        "wandb_recording.TIMEOUT = 2;"
        f"here = Path({str(tmp_path)!r});"
        "wandb_recording.wandb_logger(here, mode='online', project='p', entity=None, name='n', group=None,"
        "job_type=None, notes=None, tags=[]);"
        "wandb_recording.finish(here, False)"
    )
    env = {
        "WANDB_API_KEY": "0" * 40,
        "WANDB_BASE_URL": f"http://127.0.0.1:{port}",
        "PYTHONPATH": "src",
        "HOME": str(tmp_path),
    }
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "recording offline" in done.stderr
    assert wandb_recording.recordings(tmp_path)[-1].name.startswith("offline-run-")


def test_hints_name_the_commands(tmp_path):
    wandb_recording.wandb_logger(tmp_path, mode="offline", **OPTIONS)
    wandb_recording.finish(tmp_path, failed=False)
    look, upload = wandb_recording.sync_commands(tmp_path)
    assert look.startswith("wandb leet ")
    assert upload.startswith("wandb sync ")

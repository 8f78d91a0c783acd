"""W&B without a network: offline by default, never a prompt, never a hang, one run a job."""

import json
import socket
import subprocess
import sys

import pytest
import wandb
from wandb.proto import wandb_internal_pb2
from wandb.sdk.internal.datastore import DataStore

from vaesweep import loggers
from vaesweep.checks import Invalid

CONFIG = {"model": {"beta": 4.0, "schedule": {"warmup": 0.1}}, "seed": 3}
OPTIONS = {"project": "tests", "name": "a run", "group": None, "tags": ["x"]}


@pytest.fixture(autouse=True)
def closed(monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", "/nonexistent")
    yield
    loggers.finish(failed=False)


def records(folder):
    """The protocol records of the newest offline run in a folder."""
    (file,) = loggers.recorded(folder)[-1].glob("*.wandb")
    store = DataStore()
    store.open_for_scan(str(file))
    out = []
    while (data := store.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        out.append(record)
    return out


def recorded_config(folder):
    (run,) = [r.run for r in records(folder) if r.HasField("run")][:1]
    return {u.key or "/".join(u.nested_key): json.loads(u.value_json) for u in run.config.update}


def test_an_offline_run_keeps_config_nested_and_knobs_flat(tmp_path):
    loggers.start(tmp_path, CONFIG, mode="offline", **OPTIONS)
    loggers.finish(failed=False)
    config = recorded_config(tmp_path)
    assert config["model"] == CONFIG["model"]
    assert (config["model.beta"], config["model.schedule.warmup"], config["seed"]) == (4.0, 0.1, 3)


def test_metrics_and_the_exit_code_are_recorded(tmp_path):
    logger = loggers.start(tmp_path, CONFIG, mode="offline", **OPTIONS)
    logger.log_metrics({"test/loss": 1.5}, step=7)
    loggers.finish(failed=True)
    history = [{i.key or "/".join(i.nested_key): i.value_json for i in r.history.item} for r in records(tmp_path)]
    assert any(h.get("test/loss") == "1.5" and h.get("trainer/global_step") == "7" for h in history)
    assert [r.exit.exit_code for r in records(tmp_path) if r.HasField("exit")] == [1]


def test_each_job_has_a_run_of_its_own_and_a_resumed_one_keeps_its_id(tmp_path):
    ids = []
    for folder in (tmp_path / "a", tmp_path / "b", tmp_path / "a"):
        folder.mkdir(exist_ok=True)
        ids.append(loggers.start(folder, CONFIG, mode="offline", **OPTIONS).experiment.id)
        loggers.finish(failed=False)
        assert wandb.run is None
    assert ids[0] == ids[2] != ids[1]


def test_disabled_leaves_nothing(tmp_path):
    loggers.start(tmp_path, CONFIG, mode="disabled", **OPTIONS).log_metrics({"a": 1.0}, step=0)
    loggers.finish(failed=False)
    assert not loggers.hints(tmp_path)


def test_online_without_a_key_is_refused_at_once(tmp_path):
    with pytest.raises(Invalid, match="mode: got online without an API key; allowed: online after `wandb login`"):
        loggers.start(tmp_path, CONFIG, mode="online", **OPTIONS)


def test_an_unknown_mode_is_refused(tmp_path):
    with pytest.raises(Invalid, match=r"mode: got cloud; allowed: offline \| online \| disabled"):
        loggers.start(tmp_path, CONFIG, mode="cloud", **OPTIONS)


def test_online_without_an_answer_falls_back_to_offline(tmp_path):
    """In a process of its own, because W&B keeps the address of its server for good."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "from pathlib import Path; from vaesweep import loggers; loggers.PATIENCE = 2;"
        f"loggers.start(Path({str(tmp_path)!r}), {{}}, mode='online', project='p', name='n', group=None, tags=[]);"
        "loggers.finish(False)"
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
    assert loggers.recorded(tmp_path)[-1].name.startswith("offline-run-")


def test_hints_name_the_commands(tmp_path):
    loggers.start(tmp_path, CONFIG, mode="offline", **OPTIONS)
    loggers.finish(failed=False)
    look, upload = loggers.hints(tmp_path)
    assert look.startswith("wandb leet ")
    assert upload.startswith("wandb sync ")

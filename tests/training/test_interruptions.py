"""Signals, deleted folders, full disks and locks: how a run ends by them, and what it leaves."""

import errno
import io
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import Timer
from omegaconf import OmegaConf

from support.commands import record
from support.compositions import MODELS
from support.run_in_process import recorded_metrics
from vaesweep.atomic_files import atomically
from vaesweep.errors import ConfigError
from vaesweep.figures import model_figures
from vaesweep.stop_signals import Interrupted
from vaesweep.training import train_and_test
from vaesweep.training.callbacks import resumption
from vaesweep.training.lightning_module import LitAutoencoder
from vaesweep.training.run_and_record import run

SHORT = "model=vae", "trainer.max_epochs=2"
DRAWN = *SHORT, "callbacks=default", "callbacks.figures.examples=50"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


def pictures(folder):
    return {path.name: path.read_bytes() for part in ("figures", "examples") for path in (folder / part).iterdir()}


def signal_while_drawing(patch):
    """Send SIGTERM after the first figure of every run."""
    original = model_figures.model_figures

    def with_signal(*given):
        for count, figure in enumerate(original(*given)):
            if count == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            yield figure

    patch.setattr(model_figures, "model_figures", with_signal)


@pytest.mark.slow
def test_a_signal_during_the_last_drawing_counts_and_the_resumed_run_draws_all(config, tmp_path, monkeypatch):
    whole, part = tmp_path / "whole", tmp_path / "part"
    metrics = recorded_metrics(config(*DRAWN, folder=whole))
    with monkeypatch.context() as patch:
        signal_while_drawing(patch)
        with pytest.raises(SystemExit, match="143"):
            run(config(*DRAWN, folder=part))
    assert (record(part)["status"], record(part)["reason"]) == ("interrupted", "SIGTERM")
    assert len(list((part / "figures").iterdir())) == 1
    assert recorded_metrics(config(*DRAWN, "resume=true", folder=part)) == metrics
    assert record(part)["status"] == "completed"
    assert pictures(part) == pictures(whole)


@pytest.mark.slow
def test_a_second_signal_while_the_first_is_answered_changes_nothing(config, folder, monkeypatch):
    original = train_and_test.record_duration

    def with_signal(*given):
        os.kill(os.getpid(), signal.SIGINT)
        original(*given)

    signal_while_drawing(monkeypatch)
    monkeypatch.setattr(train_and_test, "record_duration", with_signal)
    with pytest.raises(SystemExit, match=str(128 + signal.SIGINT)):
        run(config(*DRAWN))
    assert (record(folder)["status"], record(folder)["reason"]) == ("interrupted", "SIGINT")
    monkeypatch.undo()
    assert recorded_metrics(config(*DRAWN, "resume=true"))
    assert record(folder)["status"] == "completed"


def test_a_kill_while_a_resumption_is_recorded_leaves_the_earlier_record(tmp_path, monkeypatch):
    job = SimpleNamespace(
        folder=tmp_path, config=OmegaConf.create({"a": 1}), results=SimpleNamespace(overrides=["a=1"])
    )
    resumption.save_resumed_config(job)
    before = {path.name: path.read_text() for path in (tmp_path / ".hydra").iterdir()}
    assert set(before) == {"config.yaml", "overrides.yaml"}

    def cut_short(content, path):
        Path(path).write_text("")
        raise Interrupted(signal.SIGTERM)

    monkeypatch.setattr(OmegaConf, "save", cut_short)
    with pytest.raises(Interrupted):
        resumption.save_resumed_config(job)
    assert {path.name: path.read_text() for path in (tmp_path / ".hydra").iterdir()} == before


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_drawn_after_the_test(config, folder, name):
    drawn = "callbacks=default", "callbacks.figures.examples=50", "trainer.max_epochs=1", "test_checkpoint=best"
    run(config(f"model={name}", *drawn))
    assert {"reconstructions.png", "traversals.png"} <= set(pictures(folder))


@pytest.mark.slow
def test_a_signal_after_the_last_step_counts(config, folder, monkeypatch):
    monkeypatch.setattr(Timer, "on_train_end", lambda *given: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit, match="143"):
        run(config(*SHORT))
    assert record(folder)["status"] == "interrupted"


@pytest.mark.slow
def test_a_run_that_stopped_early_is_only_tested_when_it_is_resumed(config, tmp_path, monkeypatch):
    stop = ["callbacks=early_stopping", "~callbacks.figures", "optimizer=adam_constant", "trainer.max_epochs=9"]
    impatient = ["callbacks.early_stopping.patience=1", "callbacks.early_stopping.min_delta=1000"]
    whole = recorded_metrics(config("model=ae", *stop, *impatient, folder=tmp_path / "whole"))
    with monkeypatch.context() as patch:
        patch.setattr(LitAutoencoder, "on_test_epoch_start", lambda self: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(SystemExit, match="143"):
            run(config("model=ae", *stop, *impatient, folder=tmp_path / "part"))
    assert recorded_metrics(config("model=ae", *stop, *impatient, "resume=true", folder=tmp_path / "part")) == whole
    assert record(tmp_path / "part")["epochs"] == record(tmp_path / "whole")["epochs"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("hook", ["on_validation_epoch_start", "on_test_epoch_start"])
@pytest.mark.parametrize("callbacks", [["callbacks=default"], ["~callbacks.last", "~callbacks.best"]])
def test_a_run_whose_folder_is_deleted_fails_and_creates_nothing(config, folder, monkeypatch, hook, callbacks):
    monkeypatch.setattr(LitAutoencoder, hook, lambda self: shutil.rmtree(folder, ignore_errors=True))
    with pytest.raises(ConfigError, match=r"^folder: got .*run, which was deleted or moved during the run; allowed: "):
        run(config("model=ae", "trainer.max_epochs=2", "logger.wandb.mode=offline", *callbacks))
    assert not folder.exists()


@pytest.mark.slow
def test_a_folder_that_is_made_anew_during_the_run_is_not_written_to(config, folder, monkeypatch):
    def replace(self):
        shutil.rmtree(folder)
        folder.mkdir()

    monkeypatch.setattr(LitAutoencoder, "on_test_epoch_start", replace)
    with pytest.raises(ConfigError, match="which was deleted or moved during the run"):
        run(config(*SHORT))
    assert not list(folder.iterdir())


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(config, tmp_path, monkeypatch):
    three = "trainer.max_epochs=3", "checkpoint_every_n_seconds=0"
    whole = recorded_metrics(config("model=ae", *three, folder=tmp_path / "whole"))
    part, original = tmp_path / "part", Path.write_bytes

    def full(self, content):
        if self.name == "last.ckpt.part" and torch.load(io.BytesIO(content), weights_only=True)["global_step"] == 40:
            original(self, b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        original(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        line = (
            r"^folder: got .*part on a full disk \(No space left on device\); allowed: a disk with room; then resume="
        )
        with pytest.raises(ConfigError, match=line):
            run(config("model=ae", *three, folder=part))
    assert (record(part)["status"], record(part)["reason"]) == ("failed", "OSError: [Errno 28] No space left on device")
    assert not list(part.rglob("*.part"))
    assert recorded_metrics(config("model=ae", *three, "resume=true", folder=part)) == whole


@pytest.mark.slow
def test_a_record_for_which_there_is_no_room_is_one_line(config, folder, monkeypatch):
    def full(self, text):
        self.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_text", full)
        with pytest.raises(ConfigError, match=r"^folder: got .*run on a full disk"):
            run(config(*SHORT))
    assert not list(folder.glob("results.json*"))
    assert recorded_metrics(config(*SHORT, "resume=true"))
    assert record(folder)["status"] == "completed"


@pytest.mark.slow
def test_what_a_killed_process_left_unfinished_is_removed(config, folder):
    parts = [folder / name for name in ("results.json.part", "history.csv.part", "checkpoints/last.ckpt.part")]
    for part in parts:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(b"half")
    (folder / "my.particles").touch()
    run(config(*SHORT, "~callbacks.last", "~callbacks.graceful_stop"))
    assert not any(part.exists() for part in parts)
    assert (folder / "my.particles").exists()


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    done, replace = [], os.replace
    monkeypatch.setattr(os, "fsync", lambda at: done.append(Path(os.readlink(f"/proc/self/fd/{at}")).name))
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("renamed"), replace(*names)))
    (tmp_path / "run").mkdir()
    with atomically(tmp_path / "run" / "results.json") as path:
        path.write_text("{}")
    assert done == ["results.json.part", "renamed", "run"]
    done.clear()
    with atomically(tmp_path / "run" / "checkpoints" / "last.ckpt") as path:  # whose folder is new
        path.write_text("{}")
    assert done == ["last.ckpt.part", "renamed", "checkpoints", "run"]


@pytest.mark.slow
def test_records_and_checkpoints_are_written_so(config, folder, monkeypatch):
    done, fsync = set(), os.fsync
    monkeypatch.setattr(os, "fsync", lambda at: (done.add(Path(os.readlink(f"/proc/self/fd/{at}")).name), fsync(at)))
    run(config(*SHORT))
    parts = {"results.json", "last.ckpt", "best.ckpt", "history.csv", "test_images.npz"}
    assert {f"{name}.part" for name in parts} <= done


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ValueError])
def test_a_file_that_is_not_finished_leaves_nothing(tmp_path, error):
    def write():
        with atomically(tmp_path / "a") as path:
            path.write_text("half")
            raise error

    (tmp_path / "a").write_text("old")
    with pytest.raises(error):
        write()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old"}


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_to_is_refused_at_once(config, folder, monkeypatch, number):
    original = os.open

    def refuse(path, *given, **options):
        if str(path).endswith(".lock"):
            raise OSError(number, os.strerror(number), str(path))
        return original(path, *given, **options)

    monkeypatch.setattr("vaesweep.training.run_lock.LOCK_SECONDS", 3)
    monkeypatch.setattr(os, "open", refuse)
    line = (
        rf"^folder: got .*run, where .lock cannot be written \({os.strerror(number)}\); allowed: a folder that can be "
    )
    with pytest.raises(ConfigError, match=line):
        run(config(*SHORT))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused_at_once(config, folder):
    composed = config(*SHORT)
    folder.chmod(0o500)
    with pytest.raises(ConfigError, match=r"^folder: got .*run, where .lock cannot be written \(Permission denied\)"):
        run(composed)


def test_a_lock_that_is_no_file_is_refused_at_once(config, folder):
    (folder / ".lock").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"^folder: got .*run, where .lock cannot be written \(Is a directory\)"):
        run(config(*SHORT))

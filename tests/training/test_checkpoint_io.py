"""When checkpoints are written, and what they hold."""

import copy
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from support.interruption import interrupted_at
from support.run_in_process import recorded_metrics
from vaesweep.errors import ConfigError
from vaesweep.training.checkpoint_io import AtomicCheckpointIO, copied
from vaesweep.training.load_checkpoint import PARTS
from vaesweep.training.run_and_record import run


def saved(step, weights=None):
    """The checkpoint of a run at a step."""
    return dict.fromkeys(PARTS, 0) | {"callbacks": {}, "global_step": step, "state_dict": {"w": weights}}


@pytest.fixture
def clock(monkeypatch):
    """The seconds that have passed, in a list of one."""
    seconds = [0.0]
    monkeypatch.setattr("vaesweep.training.checkpoint_io.time", type("time", (), {"monotonic": lambda: seconds[0]}))
    return seconds


@pytest.fixture
def written(monkeypatch):
    """The names and steps of the checkpoints that are written, in their order."""
    files, original = [], Path.write_bytes

    def write(path, content):
        files.append(
            (path.name.removesuffix(".part"), torch.load(io.BytesIO(content), weights_only=True)["global_step"])
        )
        original(path, content)

    monkeypatch.setattr(Path, "write_bytes", write)
    return files


def test_a_checkpoint_that_comes_too_soon_is_kept_as_it_was_until_the_end(tmp_path, clock):
    files, weights = AtomicCheckpointIO(5.0), torch.zeros(3)
    files.save_checkpoint(saved(1, weights), tmp_path / "last.ckpt")
    weights += 1
    assert not list(tmp_path.iterdir())
    files.teardown()
    assert files.load_checkpoint(tmp_path / "last.ckpt")["state_dict"]["w"].tolist() == [0.0] * 3
    (tmp_path / "last.ckpt").unlink()
    files.teardown()
    assert not list(tmp_path.iterdir())


def test_what_is_kept_shares_nothing_that_training_goes_on_in():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    adam = torch.optim.Adam(model.parameters())
    model(torch.randn(4, 2)).sum().backward()
    adam.step()
    rows = [{"epoch": 1}]
    checkpoint = {"state_dict": model.state_dict(), "optimizer_states": [adam.state_dict()], "rows": rows, "n": (1, 2)}
    own = {"seen": {1}, "counts": Counter("aab"), "weight": model[0].weight}  # of a callback of somebody's own
    kept, before = copied(checkpoint), copy.deepcopy(checkpoint)
    kept_own = copied(own)
    adam.step()
    rows[0]["epoch"] = 2
    own["seen"].add(2)
    own["counts"].update("b")
    assert kept_own["seen"] == {1}
    assert kept_own["counts"] == Counter("aab")
    assert torch.equal(kept_own["weight"], before["state_dict"]["0.weight"])
    torch.testing.assert_close(kept, before, rtol=0, atol=0)
    assert type(kept["state_dict"]) is type(before["state_dict"])
    assert kept["state_dict"]._metadata == before["state_dict"]._metadata  # which BatchNorm is loaded by


def test_of_two_that_come_too_soon_the_later_one_is_written(tmp_path, clock, written):
    files = AtomicCheckpointIO(5.0)
    for step in (1, 2):
        files.save_checkpoint(saved(step), tmp_path / "last.ckpt")
    files.teardown()
    assert written == [("last.ckpt", 2)]


def test_what_was_saved_earlier_is_written_earlier_and_those_of_a_step_together(tmp_path, clock, written):
    files = AtomicCheckpointIO(5.0)
    files.save_checkpoint(saved(1), tmp_path / "last.ckpt")
    files.save_checkpoint(saved(2), tmp_path / "best.ckpt")
    files.save_checkpoint(saved(2), tmp_path / "last.ckpt")
    clock[0] = 5.0
    files.save_checkpoint(saved(3), tmp_path / "last.ckpt")
    assert written == [("best.ckpt", 2), ("last.ckpt", 3)]
    clock[0] = 10.0
    files.save_checkpoint(saved(4), tmp_path / "best.ckpt")
    files.save_checkpoint(saved(4), tmp_path / "last.ckpt")
    assert written[2:] == [("best.ckpt", 4), ("last.ckpt", 4)]
    files.save_checkpoint(saved(5), tmp_path / "last.ckpt")
    assert len(written) == 4


def test_one_that_is_removed_is_not_written(tmp_path, clock):
    files = AtomicCheckpointIO(5.0)
    files.save_checkpoint(saved(1), tmp_path / "old.ckpt")
    files.remove_checkpoint(tmp_path / "old.ckpt")
    files.teardown()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "count"), [(1000, 1), (0, 4)])
def test_a_run_of_short_epochs_writes_them_once(config, written, seconds, count):
    run(config("model=ae", "trainer.max_epochs=4", f"checkpoint_every_n_seconds={seconds}"))
    assert len([name for name, _ in written if name == "last.ckpt"]) == count
    assert written[-1] == ("last.ckpt", 80)


@pytest.mark.slow
@pytest.mark.parametrize("best", ["test_checkpoint=best", "test_checkpoint=last"])
def test_a_run_that_stops_writes_what_it_kept_and_goes_on_from_there(config, tmp_path, monkeypatch, best):
    settings = "model=ae", "trainer.max_epochs=4", "optimizer.lr=0.05", "checkpoint_every_n_seconds=1000", best
    whole = recorded_metrics(config(*settings, folder=tmp_path / "whole"))
    with monkeypatch.context() as patch:
        interrupted_at(50, patch)
        with pytest.raises(SystemExit):
            run(config(*settings, folder=tmp_path / "part"))
    steps = {
        name: torch.load(tmp_path / "part" / "checkpoints" / f"{name}.ckpt", weights_only=True)["global_step"]
        for name in ("last", "best")
    }
    assert steps["last"] == 50
    assert steps["best"] in (20, 40)
    assert recorded_metrics(config(*settings, "resume=true", folder=tmp_path / "part")) == whole


def test_paths_in_a_checkpoint_are_relative_to_it_where_they_are_near(tmp_path):
    near, far = tmp_path / "run" / "best", tmp_path / "far"
    kept = {
        name: {"dirpath": str(folder), "best_model_path": str(folder / "a.ckpt"), "last_model_path": "",
               "best_k_models": {str(folder / "a.ckpt"): 1.0}}
        for name, folder in (("near", near), ("far", far))
    }  # fmt: skip
    checkpoint = saved(1) | {"callbacks": kept | {"Timer": {"seconds": 2.0}}}
    file = tmp_path / "run" / "checkpoints" / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint(checkpoint, file)
    written = torch.load(file, weights_only=True)["callbacks"]
    assert (written["near"]["dirpath"], written["near"]["best_k_models"]) == ("../best", {"../best/a.ckpt": 1.0})
    assert written["far"] == kept["far"]
    assert AtomicCheckpointIO().load_checkpoint(file) == checkpoint
    (tmp_path / "run").rename(tmp_path / "moved")
    read = AtomicCheckpointIO().load_checkpoint(tmp_path / "moved" / "checkpoints" / "last.ckpt")["callbacks"]
    assert read["near"]["best_model_path"] == str(tmp_path / "moved" / "best" / "a.ckpt")
    assert read["far"] == kept["far"]


def test_a_state_that_could_not_be_read_again_is_refused_when_it_is_written(tmp_path):
    states = {"Fine": {"a": 1.5, "b": [torch.ones(2)]}, "Average{'every': 1}": {"value": np.float64(2)}}
    line = "^callbacks: got Average with values of type float64 in its state; allowed: a state_dict of tensors, "
    with pytest.raises(ConfigError, match=line):
        AtomicCheckpointIO().write({"callbacks": states, "global_step": 1}, tmp_path / "last.ckpt")
    assert not list(tmp_path.iterdir())

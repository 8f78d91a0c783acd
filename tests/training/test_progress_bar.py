"""The progress bar: a line a tenth in a file, one bar on a terminal."""

import re
import sys

import lightning as L
import pytest
from lightning.pytorch.callbacks import EarlyStopping, Timer
from omegaconf import open_dict

from support.interruption import interrupted_at
from vaesweep.errors import ConfigError
from vaesweep.training.callbacks import ProgressBar, progress_bar
from vaesweep.training.lightning_module import LitAutoencoder
from vaesweep.training.optimizers import Adam
from vaesweep.training.run_and_record import run


def fit(model, digits, epochs, *callbacks, **limits):
    bar = ProgressBar(refresh_rate=5)
    options = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False, "accelerator": "cpu"}
    options |= {"num_sanity_val_steps": 0, "inference_mode": False}
    trainer = L.Trainer(max_epochs=epochs, callbacks=[bar, *callbacks], **options, **limits)
    made = model("model=ae", "network.hidden=[8]")
    trainer.fit(LitAutoencoder(made, Adam(1e-3, 0.0, (0.9, 0.999), "constant"), 0), datamodule=digits)
    return trainer


@pytest.mark.slow
@pytest.mark.parametrize(("epochs", "lines"), [(20, 10), (3, 3)])
def test_in_a_file_the_start_and_a_tenth_of_the_epochs_is_a_line(model, digits, capsys, epochs, lines):
    trainer = fit(model, digits, epochs)
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert shown.pop(0) == f"epoch 0/{epochs}"
    assert len(shown) == lines
    assert all(re.fullmatch(rf"epoch \d+/{epochs}  val \d+\.\d  \d+ s left", line) for line in shown)
    last = trainer.callback_metrics["val/loss"].item()
    assert shown[-1] == f"epoch {epochs}/{epochs}  val {last:.1f}  0 s left"


def test_slow_epochs_write_a_line_whenever_a_while_has_passed(model, digits, capsys, monkeypatch):
    monkeypatch.setattr(progress_bar, "LINE_SECONDS", 0.0)
    fit(model, digits, 2)
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert len([line for line in shown if line.startswith("epoch 0/2")]) > 1
    assert len([line for line in shown if line.startswith("epoch 1/2")]) > 1
    assert all(line.endswith(" s left") for line in shown[1:])


def lines(capsys):
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]


def test_what_max_steps_leaves_of_the_epochs_is_what_is_left(model, digits, capsys):
    fit(model, digits, 1000, max_steps=50)  # of 20 an epoch
    shown = lines(capsys)
    assert [line.partition("  ")[0] for line in shown] == ["epoch 0/3", "epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert shown[-1].endswith("  0 s left")


def test_no_more_time_is_left_than_max_time_leaves(model, digits, capsys, monkeypatch):
    monkeypatch.setattr(progress_bar, "LINE_SECONDS", 0.0)
    fit(model, digits, 100_000, Timer(duration={"seconds": 1}))
    shown = lines(capsys)
    assert all(re.search(r"  [01] s left$", line) for line in shown[1:])
    assert len(shown) > 3


def test_where_something_else_ends_training_a_last_line_says_where(model, digits, capsys):
    fit(model, digits, 60, EarlyStopping("val/loss", patience=1, min_delta=1e6))
    shown = lines(capsys)
    assert shown[0] == "epoch 0/60"
    assert re.fullmatch(r"epoch 2/60  val \d+\.\d  0 s left", shown[-1])
    assert len(shown) == 2


@pytest.mark.parametrize(("columns", "cells"), [(120, 30), (60, 12), (40, 0)])
def test_a_narrow_terminal_shortens_the_bar_and_not_the_numbers(model, digits, capsys, monkeypatch, columns, cells):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    fit(model, digits, 2)
    shown = capsys.readouterr().out
    assert re.search(r"epoch 2/2  val \d+\.\d  0 s left", shown)
    assert {len(bar) for bar in re.findall(r"\|(.*?)\|", shown)} == ({cells} if cells else set())


def test_a_run_that_was_cut_within_an_epoch_goes_on_from_there(config, tmp_path, monkeypatch):
    begun, original = [], ProgressBar.on_train_start

    def on_train_start(self, trainer, module):
        original(self, trainer, module)
        begun.append(self.first)

    monkeypatch.setattr(ProgressBar, "on_train_start", on_train_start)

    def shown(*settings):
        composed = config("model=ae", "trainer.max_epochs=3", *settings)
        with open_dict(composed):
            del composed.trainer.enable_progress_bar
            composed.callbacks.progress = {"_target_": "vaesweep.training.callbacks.ProgressBar", "refresh_rate": 20}
        return composed

    with monkeypatch.context() as patch:
        interrupted_at(30, patch)
        with pytest.raises(SystemExit):
            run(shown())
    run(shown("resume=true"))
    assert begun == [0.0, 1.5]


def test_on_a_terminal_it_is_one_bar_over_all_epochs(model, digits, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    fit(model, digits, 3)
    out = capsys.readouterr().out
    states = re.findall(r"epoch (\d)/3(?:  val \d+\.\d)?(?:  \d+ s left)?", out)
    assert states == sorted(states)
    assert states[-1] == "3"
    assert "\n" not in out.strip()


def test_a_rate_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="refresh_rate: got 0; allowed: a whole number of at least 1"):
        ProgressBar(0)

"""The progress bar: a line a tenth in a file, one bar on a terminal."""

import re
import sys

import lightning as L
import pytest

from vaesweep.errors import ConfigError
from vaesweep.training.callbacks import ProgressBar, progress_bar
from vaesweep.training.lightning_module import LitAutoencoder
from vaesweep.training.optimizers import Adam


def fit(model, digits, epochs):
    bar = ProgressBar(refresh_rate=5)
    options = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False, "accelerator": "cpu"}
    trainer = L.Trainer(max_epochs=epochs, callbacks=[bar], num_sanity_val_steps=0, inference_mode=False, **options)
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

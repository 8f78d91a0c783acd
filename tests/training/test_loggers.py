"""Every choice of loggers: what each is given, and that a run without any can be evaluated and compared."""

import pandas as pd
import pytest
import yaml
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from compare import main as compare
from support.run_in_process import recorded_metrics
from support.wandb_offline_runs import recorded
from vaesweep.errors import ConfigError
from vaesweep.records.results import Results
from vaesweep.training.build_parts import start_loggers
from vaesweep.training.planned_run import PlannedRun
from vaesweep.training.run_and_record import run

SHORT = ["model=vae", "trainer.max_epochs=2", "callbacks=default", "callbacks.figures.examples=50"]


def chosen(config, logger, *more):
    """The run's configuration with other loggers than those of the fixture."""
    return config(*SHORT, f"logger={logger}", *more, wandb=False)


@pytest.mark.slow
def test_csv_has_scalars_and_settings(config, tmp_path):
    metrics = recorded_metrics(chosen(config, "csv"))
    (version,) = (tmp_path / "run" / "csv").iterdir()
    heads = (version / "metrics.csv").read_text().splitlines()[0]
    assert all(name in heads for name in ("train/kl", "val/loss", "test/nelbo"))
    scores = pd.read_csv(version / "metrics.csv")["test/nelbo"].dropna()
    assert scores.item() == pytest.approx(metrics["test/nelbo"], rel=1e-5)
    assert yaml.safe_load((version / "hparams.yaml").read_text())["model"]["free_bits"] == 0.0


@pytest.mark.slow
def test_what_a_csv_logger_left_is_not_removed_when_the_run_is_resumed(config, tmp_path):
    settings = "model=ae", "optimizer=adam_constant", "+logger.csv.version=0"
    run(config(*settings, "trainer.max_epochs=1", "logger=csv", wandb=False))
    before = (tmp_path / "run" / "csv" / "version_0" / "metrics.csv").read_bytes()
    with pytest.raises(ConfigError, match=r"^logger.csv.version: got 0, whose metrics.csv is there and would be lost;"):
        run(config(*settings, "trainer.max_epochs=2", "logger=csv", "resume=true", wandb=False))
    assert (tmp_path / "run" / "csv" / "version_0" / "metrics.csv").read_bytes() == before


@pytest.mark.slow
def test_tensorboard_has_scalars_settings_and_figures(config, tmp_path):
    metrics = recorded_metrics(chosen(config, "tensorboard"))
    (version,) = (tmp_path / "run" / "tensorboard").iterdir()
    events = EventAccumulator(str(version)).Reload()
    assert {"train/loss", "val/kl", "test/nelbo"} <= set(events.Tags()["scalars"])
    assert events.Scalars("test/nelbo")[-1].value == pytest.approx(metrics["test/nelbo"], rel=1e-5)
    assert {"figures/samples", "figures/posterior"} <= set(events.Tags()["images"])
    assert OmegaConf.load(version / "hparams.yaml").model.free_bits == 0.0


@pytest.mark.slow
def test_several_loggers_get_the_same(config, tmp_path):
    metrics = recorded_metrics(chosen(config, "[wandb,csv]", "logger.wandb.mode=offline", "logger.wandb.notes=by hand"))
    folder = tmp_path / "run"
    kept = recorded(folder)
    assert (kept["name"], kept["notes"]) == ("vae digits beta=1 seed=0", "by hand")
    assert kept["summary"]["test/nelbo"] == pytest.approx(metrics["test/nelbo"], rel=1e-4)
    assert kept["config"]["model"]["free_bits"] == 0
    assert not [key for key in kept["config"] if "." in key]
    assert yaml.safe_load((folder / "csv" / "version_0" / "hparams.yaml").read_text())["model"]["free_bits"] == 0
    rows = pd.read_csv(folder / "csv" / "version_0" / "metrics.csv")
    assert rows.lr.dropna().iloc[-1] == pytest.approx(kept["summary"]["lr"], rel=1e-5)


@pytest.mark.slow
def test_the_learning_rate_and_the_scheduled_weight_are_logged_with_the_training_terms(config, tmp_path):
    warmup = ["model=beta_vae", "model.beta=4", "model/schedule=linear", "model.schedule.warmup=0.5"]
    run(chosen(config, "csv", *warmup, "trainer.max_epochs=4"))
    rows = pd.read_csv(tmp_path / "run" / "csv" / "version_0" / "metrics.csv")
    rows = rows[rows["train/loss"].notna()]
    assert len(rows) == 4  # one an epoch of fewer than trainer.log_every_n_steps
    steps = rows.step.iloc[-1]
    # the weight of the last step of each epoch: it rises over the first half
    assert list(rows.beta) == pytest.approx([4 * min(1, (step - 1) / steps / 0.5) for step in rows.step])
    assert rows.lr.iloc[-1] < 0.01 * rows.lr.max()
    history = pd.read_csv(tmp_path / "run" / "history.csv")
    assert "beta" not in history


@pytest.mark.slow
def test_a_model_without_a_rate_logs_no_weight(config, tmp_path):
    run(chosen(config, "csv", "model=ae", "trainer.num_sanity_val_steps=2"))
    rows = pd.read_csv(tmp_path / "run" / "csv" / "version_0" / "metrics.csv")
    assert rows[rows["val/loss"].notna()].epoch.tolist() == [1, 2]  # a part of the images, before training, is none
    assert rows.lr.notna().any()
    assert "beta" not in rows


@pytest.mark.slow
def test_without_a_logger_a_run_is_complete_and_compares(config, tmp_path):
    assert recorded_metrics(chosen(config, "none"))["test/nelbo"] > 0
    folder = tmp_path / "run"
    assert not (folder / "wandb").exists()
    assert (folder / "figures" / "samples.png").is_file()
    assert compare([str(folder), "--out", str(tmp_path / "report")]) == 0


def test_any_logger_of_lightning_can_be_added(config, tmp_path):
    mine = "+logger.mine={_target_:lightning.pytorch.loggers.CSVLogger,save_dir:${folder},name:mine}"
    composed = chosen(config, "tensorboard", mine)
    loggers = start_loggers(PlannedRun(composed, tmp_path, Results.from_config(composed, [])))
    assert [type(logger) for logger in loggers] == [TensorBoardLogger, CSVLogger]

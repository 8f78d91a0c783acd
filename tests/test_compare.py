"""The command that compares: what it does with bad records, folders and bugs."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from compare import main as compare
from support.handmade import leave, rates
from support.paths import ROOT
from vaesweep.evaluation.measure_runs import measure
from vaesweep.records.evaluation_record import FILE as EVALUATION
from vaesweep.records.evaluation_record import EvaluationRecord
from vaesweep.records.results import FILE
from vaesweep.training.run_and_record import run


@pytest.fixture
def study(tmp_path):
    for seed in (0, 1):
        leave(tmp_path / "study" / f"fine{seed}", seed=seed, metrics=rates(5, 20))
    return tmp_path / "study"


@pytest.mark.slow
def test_a_study_is_compared_without_importing_torch(study):
    code = "import sys, compare; print(compare.main([sys.argv[1]]), 'torch' in sys.modules)"
    line = [sys.executable, "-c", code, str(study)]
    done = subprocess.run(line, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0 False", done.stderr


DAMAGES = {
    "infinity": lambda kept: kept.replace('"test/mse": 0.01', '"test/mse": 1e999'),
    "a list": lambda kept: kept.replace('"test/mse": 0.01', '"test/mse": [1, 2]'),
    "deep brackets": lambda kept: "[" * 5000 + kept,
    "a wrong type": lambda kept: kept.replace('"seed": 7', '"seed": "seven"'),
    "cut short": lambda kept: kept[:100],
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_one_bad_record_costs_that_record_and_is_said(study, damage, capsys):
    leave(study / "bad", seed=7, metrics=rates(5, 20))
    path = study / "bad" / FILE
    path.write_text(damage(path.read_text()))
    assert compare([str(study)]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("- bad: "))
    assert FILE in line
    runs = pd.read_csv(study / "report" / "runs.csv")
    assert {"fine0", "fine1"} <= set(runs.run)


def test_a_bug_is_one_line_that_names_its_traceback(study, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)  # other tests of this process run jobs of Hydra's
    monkeypatch.setattr("vaesweep.report.report.report", lambda collection: {}["nobody foresaw this"])
    assert compare([str(study)]) == 1
    (log,) = tmp_path.glob("*.log")
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: KeyError: 'nobody foresaw this' (traceback: {log})"
    assert "Traceback" in log.read_text()


def test_ctrl_c_ends_without_a_traceback(study, monkeypatch, capsys):
    def stopped(collection):
        raise KeyboardInterrupt

    monkeypatch.setattr("vaesweep.report.report.report", stopped)
    assert compare([str(study)]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.slow
@pytest.mark.parametrize("out", ["/dev/null/x", "{study}/fine0/results.json"])
def test_a_report_that_cannot_be_written_is_one_line(study, out, capsys):
    assert compare([str(study), "--out", out.format(study=study)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert json.loads((study / "fine0" / FILE).read_text())["status"] == "completed"


@pytest.fixture
def train_linear(config, tmp_path):
    """Train a run of a study on a linear network, and leave its configuration beside it as Hydra does."""

    def train(*settings):
        folder = tmp_path / "study" / "linear"
        composed = config("model=vae", "trainer.max_epochs=1", "network=linear", *settings, folder=folder)
        (folder / ".hydra").mkdir()
        OmegaConf.save(composed, folder / ".hydra" / "config.yaml")
        run(composed)
        return folder

    return train


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_a_linear_gaussian_run_is_measured_against_its_optimum_and_no_other(train_linear, likelihood, capsys):
    folder, is_gaussian = train_linear(f"model/likelihood={likelihood}"), likelihood == "gaussian"
    assert compare([str(folder.parent)]) == 0
    assert ("measuring linear_optimum of 1 run\n" in capsys.readouterr().err) == is_gaussian
    assert (folder / EVALUATION).is_file() == is_gaussian
    assert (folder.parent / "report" / "linear_optimum.png").is_file() == is_gaussian
    if is_gaussian:
        assert EvaluationRecord.read(folder).measures["linear_optimum"]["values"]["excess"]["value"] > 0


@pytest.fixture
def multi_rate(config, tmp_path):
    """The folder of a run for a range of betas, in a study with runs of one beta by hand."""
    folder = tmp_path / "study" / "whole"
    composed = config("model=multi_rate", "test_samples=10", "trainer.max_epochs=2", folder=folder)
    (folder / ".hydra").mkdir()
    OmegaConf.save(composed, folder / ".hydra" / "config.yaml")
    run(composed)
    return folder


@pytest.mark.slow
def test_the_curve_of_a_run_for_a_range_of_betas_is_measured_once(multi_rate, monkeypatch):
    study = multi_rate.parent
    leave(study / "plain", metrics=rates(5, 20))
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    assert compare([str(study)]) == 0
    assert os.environ["GOMP_SPINCOUNT"] == "1000"
    series = EvaluationRecord.read(multi_rate).measures["rate_distortion_curve"]["series"]
    assert len(series["beta"]) == 25
    metrics = json.loads((multi_rate / FILE).read_text())["metrics"]  # at beta = 1, by other draws of the noise
    for name, key in (("rate", "test/kl"), ("distortion", "test/distortion")):
        at_one = np.interp(0.0, np.log(series["beta"]), series[name])
        assert at_one == pytest.approx(metrics[key], abs=0.1)
    assert not (study / "plain" / EVALUATION).exists()
    assert (study / "report" / "plane.png").is_file()
    monkeypatch.setattr(
        "vaesweep.evaluation.measure_runs.measure_by_name", lambda *given: pytest.fail("measured again")
    )
    assert compare([str(study)]) == 0


@pytest.mark.slow
def test_compare_keeps_what_was_measured_at_another_beta(multi_rate):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        settings = compose("evaluate", [f"run={multi_rate}", "measures=reconstruction", "beta=2", "device=cpu"])
    assert measure(settings) == []
    before = EvaluationRecord.read(multi_rate)
    assert compare([str(multi_rate.parent)]) == 0
    after = EvaluationRecord.read(multi_rate)
    assert after.beta == 2
    assert after.measures["reconstruction"] == before.measures["reconstruction"]
    assert list(after.measures) == ["rate_distortion_curve", "reconstruction"]


@pytest.mark.slow
def test_every_measure_that_fails_is_said(multi_rate, train_linear, capsys):
    linear = train_linear("model/likelihood=gaussian")
    for folder in (multi_rate, linear):
        (folder / "checkpoints" / "last.ckpt").unlink()
    assert compare([str(linear.parent)]) == 0
    said = capsys.readouterr().out.splitlines()
    for name in ("linear_optimum", "rate_distortion_curve"):
        (line,) = (line for line in said if line.startswith(f"- {name}: not measured: "))
        assert "last.ckpt, which is not there" in line


@pytest.mark.slow
def test_a_linear_run_whose_weights_are_gone_is_reported_without_its_optimum(train_linear, capsys):
    folder = train_linear("model/likelihood=gaussian")
    (folder / "checkpoints" / "last.ckpt").unlink()
    assert compare([str(folder.parent)]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("- linear_optimum: "))
    assert "last.ckpt, which is not there" in line

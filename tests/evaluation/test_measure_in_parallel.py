"""Several runs measured in several processes."""

import pytest
from hydra import compose, initialize_config_dir

from support.paths import ROOT
from vaesweep.errors import ConfigError
from vaesweep.evaluation import measure_in_parallel
from vaesweep.evaluation.measure_in_parallel import measure_all
from vaesweep.records.evaluation_record import EvaluationRecord
from vaesweep.settings.literal_folders import escape

CRASH = """
import os, signal
from multiprocessing import parent_process
from vaesweep.evaluation import MeasureResult, Value

class Crash:
    def __call__(self, context):
        if parent_process():
            os.kill(os.getpid(), signal.SIGKILL)
        return MeasureResult({"one": Value(1.0, "")})
"""


@pytest.fixture
def always(monkeypatch):
    """Processes are started however little they save."""
    monkeypatch.setattr(measure_in_parallel, "START_SECONDS", -1.0)


def evaluation(folders, *overrides):
    """The settings of an evaluation of some folders."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("evaluate", ["run=x", "device=cpu", "measures=[reconstruction]", "n_jobs=2", *overrides])
    config.run = [escape(str(folder)) for folder in folders]
    return config


def numbers(folder):
    return EvaluationRecord.load_or_none(folder).flat()


@pytest.mark.slow
def test_several_processes_find_what_one_does(copied, always):
    folders = [copied(f"model={name}", name=f"${{{name}}}") for name in ("ae", "vae", "sparse")]
    assert measure_all(evaluation(folders, "n_jobs=1")) == []
    alone = [numbers(folder) for folder in folders]
    for folder in folders:
        (folder / "evaluation.json").unlink()
    assert measure_all(evaluation(folders)) == []
    for folder, expected in zip(folders, alone, strict=True):
        assert numbers(folder) == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_a_process_that_is_killed_costs_the_runs_that_it_was_to_measure(copied, always, tmp_path, monkeypatch):
    (tmp_path / "crash.py").write_text(CRASH)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    folders = [copied("model=ae", name=name) for name in "abc"]
    line = "a process was killed (out of memory?): n_jobs=1 takes the least"
    problems = measure_all(evaluation(folders, "measures=[crash]", "+crash._target_=crash.Crash"))
    assert problems == [f"b: {line}", f"c: {line}"]
    assert numbers(folders[0]) == {"crash/one": 1.0}


@pytest.mark.slow
def test_no_process_is_started_where_it_would_save_little(copied, monkeypatch):
    monkeypatch.setattr(measure_in_parallel, "measure_in_processes", lambda *_: pytest.fail("started"))
    monkeypatch.setattr(measure_in_parallel, "START_SECONDS", 10_000.0)
    folders = [copied("model=ae", name=name) for name in "ab"]
    assert measure_all(evaluation(folders)) == []
    assert all(numbers(folder) for folder in folders)


def test_a_number_of_processes_is_a_number():
    with pytest.raises(ConfigError, match="n_jobs: got 0; allowed: a whole number of at least 1"):
        measure_all(evaluation([ROOT], "n_jobs=0"))

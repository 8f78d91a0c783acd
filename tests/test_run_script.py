import os
import subprocess
import sys

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from vaesweep.errors import UnforeseenError
from vaesweep.run_script import STUDIES, launch, run_as_hydra_job


def test_ctrl_c_ends_without_a_traceback(monkeypatch, capsys):
    def stopped():
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["evaluate.py"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # which is put back afterwards
    with pytest.raises(SystemExit) as left:
        launch(stopped)
    assert left.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


LAST_WORDS = """
import atexit, threading, time
from vaesweep.run_script import exit_at_once

class Module:
    def __del__(self):
        print("taken apart")

kept = Module()
atexit.register(print, "atexit")
threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
print("script")
exit_at_once(3)
"""


@pytest.mark.slow
def test_a_process_that_ends_at_once_loses_nothing_that_was_printed_or_is_under_way(tmp_path):
    done = subprocess.run([sys.executable, "-c", LAST_WORDS], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split(), done.stderr) == (3, ["script", "thread", "atexit"], "")


def crash(config):
    raise KeyError("nobody\nforesaw this")


@pytest.mark.slow
def test_an_error_that_no_check_foresaw_is_one_line_with_its_traceback_in_the_folder_of_the_run(config, tmp_path):
    with pytest.raises(SystemExit, match=r"^error: KeyError: '.*' \(traceback: .*run/error.log\)$") as left:
        run_as_hydra_job(crash, config("model=ae"))
    assert "\n" not in str(left.value)
    text = (tmp_path / "run" / "error.log").read_text()
    assert "Traceback" in text
    assert "in crash" in text


@pytest.mark.slow
def test_a_job_of_a_sweep_that_fails_so_leaves_the_others_their_turn(config, tmp_path):
    job = config("model=ae", "hydra.mode=MULTIRUN", "hydra.sweep.dir=sweep")
    with pytest.raises(UnforeseenError, match=r"KeyError: .*error.log"):
        run_as_hydra_job(crash, job)
    STUDIES.clear()


def test_an_error_before_there_is_a_run_has_its_traceback_in_a_file(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["train.py"])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # which is put back afterwards
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None
    with pytest.raises(SystemExit) as left:
        launch(lambda: crash(None))
    (log,) = tmp_path.iterdir()
    assert str(left.value).endswith(f"(traceback: {log})")
    assert "in crash" in log.read_text()


def test_tracebacks_are_shown_where_they_are_wanted(monkeypatch, config):
    monkeypatch.setattr("vaesweep.run_script.TRACEBACKS", True)
    with pytest.raises(KeyError):
        run_as_hydra_job(crash, config("model=ae"))


@pytest.mark.parametrize("given", [None, "7"])
def test_threads_do_not_spin_for_long_unless_they_were_told_to(monkeypatch, given):
    monkeypatch.setattr("sys.argv", ["train.py"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # which is put back afterwards
    monkeypatch.setenv("GOMP_SPINCOUNT", "0")
    if given is None:
        monkeypatch.delenv("GOMP_SPINCOUNT")
    else:
        monkeypatch.setenv("GOMP_SPINCOUNT", given)
    seen = []
    launch(lambda: seen.append(os.environ["GOMP_SPINCOUNT"]))
    assert seen == [given or "1000"]

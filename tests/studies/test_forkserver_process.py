"""Scripts that are forked: what they are given, what they leave, how they end."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing import forkserver

import pytest

from support.commands import wait_for
from support.nightly import at_night_but
from vaesweep.studies.forkserver_process import ForkserverProcess, can_fork

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")]


@pytest.fixture
def fork(tmp_path):
    """Run some code as a script, with arguments and an environment; the running process."""

    def start(code, *arguments, **environment):
        (tmp_path / "script.py").write_text(code)
        command = [sys.executable, str(tmp_path / "script.py"), *arguments]
        env = dict(os.environ) | environment
        return ForkserverProcess(command, env, tmp_path / "stdout", tmp_path / "stderr")

    return start


def test_a_script_is_given_what_a_fresh_process_would_be(fork, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = """
import json, os, sys
print(json.dumps([__name__, sys.argv[1:], os.environ["MINE"], os.getcwd(), sys.path[0], sys.stdin.read()]))
print("wrong", file=sys.stderr)
assert os.getsid(0) == os.getpid()
"""
    assert fork(code, "a=1", "b c", MINE="mine").wait(60) == 0
    folder = f'"{tmp_path}"'
    assert (tmp_path / "stdout").read_text() == f'["__main__", ["a=1", "b c"], "mine", {folder}, {folder}, ""]\n'
    assert (tmp_path / "stderr").read_text() == "wrong\n"
    assert "MINE" not in os.environ


def test_torch_lightning_and_wandb_are_there_and_what_one_script_imports_another_has_not(fork, tmp_path):
    assert fork("import sys, wave; print({'torch', 'lightning', 'wandb', 'wave'} - {*sys.modules})").wait(60) == 0
    assert (tmp_path / "stdout").read_text() == "set()\n"
    assert fork("import sys; assert 'wave' not in sys.modules").wait(60) == 0


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import sys; sys.exit(3)", 3),
        ("from vaesweep.run_script import exit_at_once; exit_at_once(3)", 3),
        ("import sys; sys.exit('error: beta')", 1),
        ("raise ValueError('beta')", 1),
        ("import os; os.kill(os.getpid(), 9)", -9),
    ],
)
def test_the_exit_code_is_that_of_a_fresh_process(fork, tmp_path, code, expected):
    process = fork(code)
    assert process.wait(60) == expected == process.poll()
    fresh = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True)
    assert fresh.returncode == expected


def test_exit_functions_are_called_and_what_is_printed_comes_at_once(fork, tmp_path):
    process = fork("import atexit, time; atexit.register(print, 'end'); print('start'); time.sleep(2)")
    wait_for(lambda: (tmp_path / "stdout").exists() and (tmp_path / "stdout").read_text() == "start\n")
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    assert process.wait(60) == 0
    assert (tmp_path / "stdout").read_text() == "start\nend\n"


START_METHOD = "import multiprocessing; print(multiprocessing.get_start_method())"


def test_a_script_starts_processes_as_a_fresh_one_does(fork, tmp_path):
    """With the server's method a killed script leaves semaphores, of which Python warns at the end of a study."""
    assert fork(START_METHOD).wait(60) == 0
    fresh = subprocess.run([sys.executable, "-c", START_METHOD], capture_output=True, text=True)
    assert (tmp_path / "stdout").read_text() == fresh.stdout


FOLDERS = """
import os, tempfile
from wandb.sdk.data_types._private import MEDIA_TMP
own = tempfile.TemporaryDirectory()
print(os.path.isdir(MEDIA_TMP.name), own.name)
"""


def test_temporary_folders_of_the_server_outlive_a_script_and_its_own_do_not(fork, tmp_path):
    for _ in range(2):
        assert fork(FOLDERS).wait(60) == 0
    first, second = (line.split() for line in (tmp_path / "stdout").read_text().splitlines())
    assert first[0] == second[0] == "True"
    assert not os.path.exists(first[1])
    assert not os.path.exists(second[1])


def test_a_signal_is_the_scripts_own(fork, tmp_path):
    code = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); print('ready'); time.sleep(60)"
    process = fork(code)
    wait_for(lambda: (tmp_path / "stdout").exists() and (tmp_path / "stdout").read_text())
    process.terminate()
    assert process.wait(60) == 7
    process.terminate()  # of one that has ended already: nothing


def test_a_signal_to_all_processes_of_a_study_leaves_the_server(fork, tmp_path):
    code = "import signal, sys, time; signal.signal(15, lambda *_: (time.sleep(1), sys.exit(7))); print('ready')\n"
    process = fork(code + "time.sleep(60)")
    wait_for(lambda: (tmp_path / "stdout").exists() and (tmp_path / "stdout").read_text())
    server = forkserver._forkserver._forkserver_pid
    assert os.getpgid(server) != os.getpgrp()
    os.kill(server, signal.SIGTERM)
    process.terminate()
    assert process.wait(60) == 7  # and not 255, of a server that has ended


@pytest.mark.parametrize("follows", at_night_but([True], [True, False]))
def test_a_job_stops_when_the_launcher_that_started_it_is_killed(tmp_path, follows):
    (tmp_path / "job.py").write_text("import os, time; print(os.getpid()); time.sleep(60)")
    (tmp_path / "launcher.py").write_text(f"""
import os, sys, time
from pathlib import Path
from vaesweep.studies.forkserver_process import ForkserverProcess
if __name__ == "__main__":
    env = dict(os.environ) | ({{"VAESWEEP_PARENT": str(os.getpid())}} if {follows} else {{}})
    ForkserverProcess([sys.executable, "job.py"], env, Path("out"), Path("out"))
    time.sleep(60)
""")
    env = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(sys.path)}
    launcher = subprocess.Popen([sys.executable, "launcher.py"], cwd=tmp_path, env=env)
    out = tmp_path / "out"
    wait_for(lambda: out.exists() and out.read_text().endswith("\n"))
    job = int(out.read_text())
    launcher.kill()
    launcher.wait()
    time.sleep(0.5)

    def has_ended():
        try:
            os.kill(job, 0)
        except ProcessLookupError:
            return True
        return False

    if follows:
        wait_for(has_ended)
    else:
        assert not has_ended()
        os.kill(job, signal.SIGKILL)


def test_what_may_be_forked():
    script = [sys.executable, "train.py", "seed=1"]
    assert can_fork(script, {})
    assert not can_fork(script, {"CUDA_VISIBLE_DEVICES": "0"})
    assert not can_fork([sys.executable, "-c", "print()"], {})
    assert not can_fork(["python9", "train.py"], {})

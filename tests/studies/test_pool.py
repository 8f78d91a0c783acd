"""Processes side by side, with commands that stand for jobs."""

import os
import signal
import subprocess
import sys
import time

import pytest

from vaesweep.studies import pool
from vaesweep.studies.pool import Command, Pool, slots

pytestmark = pytest.mark.slow


def job(folder, name, code):
    return Command([sys.executable, "-c", code], folder / name)


def ended(made, jobs):
    return [j for j in made.run(jobs) if j]


def test_each_slot_has_its_environment_and_each_job_its_log(tmp_path):
    code = "import os, time; print(os.environ['MINE']); time.sleep(0.3)"
    jobs = [job(tmp_path, str(i), code) for i in range(4)]
    done = ended(Pool([{"MINE": "a"}, {"MINE": "b"}]), jobs)
    assert set(done) == set(jobs)
    assert sorted((j.folder / pool.LOG).read_text().strip() for j in jobs) == ["a", "a", "b", "b"]
    assert all(j.failure is None and j.code == 0 for j in jobs)


def test_a_job_that_raises_or_is_killed_takes_no_other_with_it(tmp_path):
    raises = job(tmp_path, "raises", "raise ValueError('beta')")
    killed = job(tmp_path, "killed", "import os; os.kill(os.getpid(), 9)")
    fine = job(tmp_path, "fine", "print('fine')")
    ended(Pool([{}]), [raises, killed, fine])
    assert (raises.code, raises.failure, raises.last_line()) == (1, None, "ValueError: beta")
    assert killed.failure == "killed by SIGKILL (out of memory?)"
    assert (fine.code, fine.failure) == (0, None)


def test_a_job_past_its_time_is_stopped_even_when_it_does_not_listen(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "GRACE_SECONDS", 0.3)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    made = Pool([{}, {}], timeout=1.0)
    slow, quick = job(tmp_path, "slow", deaf), job(tmp_path, "quick", "pass")
    ended(made, [slow, quick])
    assert slow.failure == "timeout: ran longer than 1 s"
    assert slow.seconds < 30
    assert quick.failure is None


def gone(pid):
    """Whether a process ends within ten seconds."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_what_a_job_started_ends_with_it(tmp_path):
    """As the other ranks of a data-parallel job would wait for ever."""
    code = (
        "import os, subprocess, sys;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(child.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    made = job(tmp_path, "parent", code)
    ended(Pool([{}]), [made])
    assert gone(int((made.folder / pool.LOG).read_text()))


def test_stopping_asks_every_job_and_waits_for_it(tmp_path):
    """What Ctrl-C does: the generator is closed while jobs run and others wait."""
    polite = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), sys.exit(143)))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    jobs = [job(tmp_path, str(i), polite) for i in range(3)]
    logs = [j.folder / pool.LOG for j in jobs]
    running = Pool([{}, {}]).run(jobs)
    for _ in running:
        if all(log.exists() and "ready" in log.read_text() for log in logs[:2]):
            break
    running.close()
    assert [log.read_text().split() for log in logs[:2]] == [["ready", "saved"]] * 2
    assert not logs[2].exists()


def test_a_job_whose_launcher_is_gone_is_told_to_stop(tmp_path):
    code = "import time; from vaesweep.stop_signals import follow_parent; follow_parent(); time.sleep(60)"
    source = os.path.join(os.path.dirname(__file__), "..", "src")
    launcher = (
        "import os, subprocess, sys;"
        f"env = os.environ | {{'VAESWEEP_PARENT': str(os.getpid()), 'PYTHONPATH': {source!r}}};"
        f"child = subprocess.Popen([sys.executable, '-c', {code!r}], env=env);"
        "print(child.pid, flush=True); import time; time.sleep(1); os.kill(os.getpid(), 9)"
    )
    # not through a pool, which would clear the group away itself; nor through a pipe, which the child holds open
    with (tmp_path / "log").open("w") as log:
        done = subprocess.run([sys.executable, "-c", launcher], stdout=log)
    assert done.returncode == -signal.SIGKILL
    assert gone(int((tmp_path / "log").read_text()))


@pytest.fixture
def machine(monkeypatch):
    """Eight cores, and the GPUs that are named."""

    def make(visible):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return make


def test_without_gpus_the_cores_are_shared_out(machine):
    machine("")
    assert slots(None, 1) == [{"OMP_NUM_THREADS": "2"}] * 4
    assert slots(3, 1) == [{"OMP_NUM_THREADS": "2"}] * 3
    assert slots(16, 1) == [{"OMP_NUM_THREADS": "1"}] * 16


def test_gpus_that_are_switched_off_are_none(machine):
    machine("-1")
    assert slots(2, 1) == [{"OMP_NUM_THREADS": "4"}] * 2


def test_a_job_that_cannot_be_started_fails_alone(tmp_path):
    (tmp_path / "taken").write_text("a file")
    taken, fine = job(tmp_path, "taken", "pass"), job(tmp_path, "fine", "pass")
    assert ended(Pool([{}]), [taken, fine]) == [taken, fine]
    assert taken.failure.startswith("could not be started: ")
    assert fine.failure is None


def test_the_last_line_is_that_of_this_attempt(tmp_path):
    made = job(tmp_path, "twice", "print('the first')")
    ended(Pool([{}]), [made])
    made.command = [sys.executable, "-c", "import sys; sys.exit(3)"]
    ended(Pool([{}]), [made])
    assert made.last_line() == "exit code 3"


def test_gpus_are_handed_out_by_slot(machine):
    machine("0,3,GPU-5")
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in slots(None, 1)] == ["0", "3", "GPU-5"]
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in slots(4, 1)] == ["0", "3", "GPU-5", "0"]
    assert [slot["CUDA_VISIBLE_DEVICES"] for slot in slots(None, 2)] == ["0,3"]
    assert slots(None, 1)[0]["OMP_NUM_THREADS"] == "2"


def test_a_script_that_cannot_be_forked_is_run_afresh(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("AF_UNIX path too long")

    monkeypatch.setattr(pool, "ForkserverProcess", refuse)
    (tmp_path / "script.py").write_text("import sys; print('torch' in sys.modules)")
    made = Command([sys.executable, str(tmp_path / "script.py")], tmp_path / "job")
    ended(Pool([{}]), [made])
    assert (made.code, made.failure, made.last_line()) == (0, None, "False")


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")
def test_a_script_is_forked_where_that_can_be(tmp_path):
    (tmp_path / "script.py").write_text("import sys; print('torch' in sys.modules)")
    made = Command([sys.executable, str(tmp_path / "script.py")], tmp_path / "job")
    ended(Pool([{}]), [made])
    assert made.last_line() == "True"


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")
def test_a_forked_process_has_the_threads_of_its_slot(tmp_path):
    (tmp_path / "script.py").write_text("import torch; print(torch.get_num_threads())")
    for threads in ("1", "3"):
        made = Command([sys.executable, str(tmp_path / "script.py")], tmp_path / threads)
        ended(Pool([{"OMP_NUM_THREADS": threads}]), [made])
        assert made.last_line() == threads

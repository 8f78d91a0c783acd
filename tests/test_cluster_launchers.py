"""Studies handed to submitit, to SLURM and to Ray. SLURM is played by a script that does what its commands do."""

import importlib.util
import os
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile

import pandas as pd
import pytest
import torch
from lightning.pytorch.utilities import rank_zero_only

from support.commands import QUICK, only, record, started, statuses, train, wait_for, weights
from support.run_in_process import recorded_metrics
from vaesweep.errors import ConfigError
from vaesweep.training.run_and_record import run

pytestmark = pytest.mark.slow

BRIEF = ["-m", "model=vae", *QUICK, "trainer.max_epochs=1"]
TWO = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]


def needs(extra, package):
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"needs the extra {extra}")


CLUSTER = r'''
"""sbatch, srun, scontrol and sacct, for one submission at a time: `python cluster.py COMMAND ARGUMENTS`."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

here = Path(__file__).parent
job = int((here / "job").read_text())
script = here / "script"
flags = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(.*))?$", script.read_text(), re.M)) if script.exists() else {}
many = "array" in flags
names = [f"{job}_{k}" for k in range(int(flags["array"].split("%")[0][2:]) + 1)] if many else [str(job)]


def sbatch(path):
    (here / "job").write_text(str(job + 10))
    script.write_text(Path(path).read_text())
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": (here / "errors").open("w")}
    subprocess.Popen([sys.executable, __file__, "controller"], start_new_session=True, **quiet)
    print(f"Submitted batch job {job + 10}")


def controller():
    running = {name: start(name, 0) for name in names}
    restarts = dict.fromkeys(names, 0)
    while running:
        for name, process in list(running.items()):
            if process.poll() is None:
                continue
            if (here / f"{name}.requeue").exists():
                (here / f"{name}.requeue").unlink()
                restarts[name] += 1
                (here / f"{name}.restarts").write_text(str(restarts[name]))
                running[name] = start(name, restarts[name])
            else:
                del running[name]
                (here / f"{name}.ended").write_text("FAILED" if process.returncode else "COMPLETED")
        time.sleep(0.1)


def start(name, restarts):
    tasks, index = flags["ntasks-per-node"], name.partition("_")[2]
    known = {"NTASKS": tasks, "NTASKS_PER_NODE": tasks, "NNODES": 1, "JOB_NUM_NODES": 1, "NODELIST": "localhost"}
    known |= {"NODEID": 0, "JOB_ID": job + int(index or 0), "JOB_NAME": flags["job-name"]}
    if many:
        known |= {"ARRAY_JOB_ID": job, "ARRAY_TASK_ID": index}
    if restarts:
        known["RESTART_COUNT"] = restarts
    env = {f"SLURM_{key}": str(value) for key, value in known.items()}
    return subprocess.Popen(["bash", str(script)], env=os.environ | env | {"NAME": name})


def srun(*arguments):
    name, rest, output = os.environ["NAME"], list(arguments), None
    while rest[0].startswith("--"):
        flag = rest.pop(0)
        if flag == "--output":
            output = rest.pop(0)
    processes = []
    for rank in range(int(os.environ["SLURM_NTASKS"])):
        path = Path(output.replace("%A_%a", name).replace("%j", name).replace("%t", str(rank)))
        path.parent.mkdir(parents=True, exist_ok=True)
        env = os.environ | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}
        processes.append(subprocess.Popen(rest, env=env, stdout=path.open("a"), stderr=subprocess.STDOUT))
    (here / f"{name}.pids").write_text(" ".join(str(process.pid) for process in processes))
    sys.exit(any([process.wait() for process in processes]))


def scontrol(verb, name):
    if verb != "requeue" or "requeue" not in flags:
        sys.exit("no such verb, or no such job")
    (here / f"{name}.requeue").touch()
    for pid in (here / f"{name}.pids").read_text().split():
        os.kill(int(pid), signal.SIGTERM)


def sacct(*_):
    print("JobID|State|NodeList")
    for name in names:
        ended = here / f"{name}.ended"
        print(f"{name}|{ended.read_text() if ended.exists() else 'RUNNING'}|localhost")


globals()[sys.argv[1]](*sys.argv[2:])
'''


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """The folder of a SLURM cluster, with its commands on the path."""
    folder = tmp_path / "cluster"
    (folder / "bin").mkdir(parents=True)
    (folder / "cluster.py").write_text(CLUSTER)
    # Lightning makes a port of the last four digits
    (folder / "job").write_text(str(random.randint(10000, 18000)))
    for name in ("sbatch", "srun", "scontrol", "sacct"):
        command = shlex.join([sys.executable, str(folder / "cluster.py"), name])
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (folder / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return folder


def submitted(cluster):
    """The settings of the script that was handed to sbatch."""
    return dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(.*))?$", (cluster / "script").read_text(), re.MULTILINE))


def logs(study):
    """What each process of submitit's said."""
    return [path.read_text() for path in study.glob(".submitit/*/*.out")]


@needs("slurm", "submitit")
def test_a_study_begun_here_goes_on_as_an_array_of_slurm_jobs_with_one_more_value(cluster, tmp_path):
    done = train(tmp_path, *BRIEF, "seed=0,-1", "hydra/launcher=submitit_local")
    assert done.returncode == 1
    assert done.stderr.endswith("error: seed: got -1; allowed: a whole number from 0 to 4294967295\n")
    study = only(tmp_path)
    refused = ("failed", "seed: got -1; allowed: a whole number from 0 to 4294967295")
    assert statuses(study) == {0: ("completed", None), -1: refused}
    written = {path: path.stat().st_mtime_ns for path in study.glob("*/results.json")}

    wanted = ["hydra.launcher.partition=gpu", "hydra.launcher.account=me", "hydra.launcher.array_parallelism=1"]
    done = train(tmp_path, f"resume={study}", "seed=0,1", "hydra/launcher=slurm", *wanted)
    assert done.returncode == 0, done.stderr
    assert statuses(study) == {0: ("completed", None), 1: ("completed", None), -1: refused}
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert sum("completed earlier" in log for log in logs(study)) == 1
    for path in study.glob("*/results.json"):
        assert path.parent.name.endswith(f"_{record(path.parent)['config_hash'][:8]}")
    script = submitted(cluster)
    expected = {"partition": "gpu", "account": "me", "array": "0-1%1", "time": "240", "signal": "USR2@120"}
    expected |= {"nodes": "1", "ntasks-per-node": "1", "gpus-per-node": "1", "cpus-per-task": "4", "requeue": ""}
    assert {key: script.get(key) for key in expected} == expected


@needs("slurm", "submitit")
@pytest.mark.nightly
def test_a_data_parallel_job_whose_time_is_up_is_queued_again_and_goes_on(cluster, tmp_path):
    arguments = [
        "-m",
        "model=vae",
        "seed=3",
        *TWO,
        "callbacks=no_figures",
        "trainer.max_epochs=12",
        "checkpoint_every_n_seconds=0",
        "logger=none",
    ]
    slurm = ["hydra/launcher=slurm", "hydra.launcher.timeout_min=10"]
    with started(tmp_path, *arguments, *slurm) as study:
        wait_for(lambda: list(tmp_path.glob("runs/*/*/checkpoints/last.ckpt")))
        (pids,) = cluster.glob("*.pids")
        for pid in pids.read_text().split():
            os.kill(int(pid), signal.SIGUSR2)
        wait_for(lambda: list(cluster.glob("*.restarts")))
        (folder,) = (path.parent for path in only(tmp_path).glob("*/results.json"))
        interrupted = record(folder)
        # a mark that only a run which goes on from this checkpoint hands down
        checkpoint = weights(folder)
        checkpoint["callbacks"]["HistoryCSV"]["rows"][0]["train/loss"] = 1234.5
        torch.save(checkpoint, folder / "checkpoints" / "last.ckpt")
        _, errors = study.communicate()
    assert study.returncode == 0, errors
    assert (interrupted["status"], interrupted["reason"]) == ("interrupted", "SIGUSR2")
    assert interrupted["epochs"] < 12
    assert (record(folder)["status"], record(folder)["epochs"]) == ("completed", 12)
    curves = pd.read_csv(folder / "history.csv")
    assert list(curves["epoch"]) == list(range(1, 13))
    assert curves["train/loss"][0] == 1234.5
    script = submitted(cluster)
    assert (script["ntasks-per-node"], script["gpus-per-node"], "array" in script) == ("2", "2", False)


@pytest.mark.parametrize("resume", ["true", "false"])
def test_no_process_of_a_finished_job_goes_ahead_alone(config, tmp_path, monkeypatch, resume):
    """SLURM starts all processes of a job; one that the first does not follow would wait for it for ever."""
    finished = recorded_metrics(config(*BRIEF[1:], folder=tmp_path))
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    monkeypatch.setattr("vaesweep.training.run_and_record.train_and_test", lambda *_: pytest.fail("went ahead"))
    again = config(*BRIEF[1:], f"resume={resume}", "hydra.mode=MULTIRUN", folder=tmp_path)
    monkeypatch.setattr("vaesweep.training.run_and_record.COMPLETED_HERE", set())  # as in another process
    if resume == "true":
        assert recorded_metrics(again) == finished
    else:
        with pytest.raises(ConfigError, match="resume: got false in the folder of an earlier job"):
            run(again)


@needs("slurm", "submitit")
def test_slurm_has_to_know_the_number_of_devices(cluster, tmp_path):
    done = train(tmp_path, "-m", "model=vae", "trainer=ddp", "hydra/launcher=slurm")
    assert done.returncode == 1
    assert re.match(r"error: .*\$\{trainer.devices\}.*'auto'.*Integer.*hydra.launcher.tasks_per_node", done.stderr)
    assert not (cluster / "script").exists()


@pytest.fixture
def ray(tmp_path):
    """The address of a running Ray cluster, which was started in another folder than the study."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=2"]
    where = ["--node-ip-address=127.0.0.1", f"--port={port}", "--include-dashboard=false", "--disable-usage-stats"]
    # its processes are niced, and wait for minutes beside other tests
    env = os.environ | {"HOME": str(tmp_path), "RAY_worker_niceness": "0"}
    # sockets need short paths
    with tempfile.TemporaryDirectory(prefix="ray") as short, (tmp_path / "ray.log").open("w") as log:
        head = subprocess.Popen(
            [*start, *where, f"--temp-dir={short}"], cwd=elsewhere, env=env, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            wait_for(lambda: "Ray runtime started" in (tmp_path / "ray.log").read_text())
            yield f"127.0.0.1:{port}"
        finally:
            head.terminate()
            head.wait()


@needs("ray", "ray")
@pytest.mark.nightly
def test_a_study_joins_a_running_ray_cluster_and_leaves_its_jobs_where_it_was_started(ray, tmp_path):
    launcher = ["hydra/launcher=ray_cluster", "hydra.launcher.ray.remote.num_cpus=1"]
    done = train(tmp_path, *BRIEF, "seed=0,1", *launcher, RAY_ADDRESS=ray)
    assert done.returncode == 0, done.stderr
    assert statuses(only(tmp_path)) == dict.fromkeys(range(2), ("completed", None))
    assert not list((tmp_path / "elsewhere").iterdir())

"""W&B online: what arrives at a server of runs, of recordings that are uploaded later, and of sweeps."""

import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from support.commands import run_command
from support.paths import ROOT
from support.wandb_server import ENTITY, WandbServer
from vaesweep.records import wandb_lifecycle
from vaesweep.training.run_and_record import run

pytestmark = pytest.mark.slow

QUICK = ["data=digits", "callbacks=no_figures", "trainer=cpu", "trainer.max_epochs=2"]
SWEEPS = BAYES, GRID = [ROOT / "sweeps" / "wandb" / f"{name}.yaml" for name in ("nelbo_bayes", "beta_grid")]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """One for all, because matplotlib searches for fonts in each new one."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def server(home):
    with WandbServer(home) as server:
        yield server


@pytest.fixture
def execute(server, tmp_path):
    """Run a command in `tmp_path`, where src, conf and sweeps lie as in the repository; W&B knows only the server."""
    for name in ("src", "conf", "sweeps"):
        (tmp_path / name).symlink_to(ROOT / name)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB", "PYTEST", "HYDRA"))}
    # the agent and `wandb` itself are found as in an activated environment
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = clean | server.environment | {"OMP_NUM_THREADS": "1", "PATH": path}

    def execute(*command):
        return run_command(list(command), tmp_path, env)

    return execute


def metrics(folder):
    """The metrics in the record of a run, and their errors."""
    left = json.loads((folder / "results.json").read_text())
    return left["metrics"] | {f"{name}_se": value for name, value in left["errors"].items()}


def summarised(arrived):
    """The metrics that arrived, and their errors."""
    return {key: value for key, value in arrived.summary.items() if key.startswith(("test/", "val/"))}


def values(parameter):
    """What a sweep's parameter may be, or its bounds."""
    return parameter.get("values") or [parameter["min"], parameter["max"]]


def test_an_online_run_arrives_with_its_settings_curves_and_test_metrics(server, execute, tmp_path):
    online = ["logger.wandb.mode=online", "logger.wandb.group=g", "logger.wandb.tags=[a,b]", "hydra.run.dir=run"]
    online += ["logger.wandb.entity=lab"]
    done = execute("python", "src/train.py", "model=beta_vae", "model.beta=1", *QUICK, *online)
    assert done.returncode == 0, done.stderr
    ((name, arrived),) = server.runs.items()
    assert (arrived.project, arrived.entity, arrived.group) == ("vaesweep", "lab", "g")
    assert (arrived.display_name, arrived.job_type) == ("beta_vae digits beta=1 seed=0", "train")
    assert arrived.tags == ["a", "b"]
    settings = {key: value for key, value in arrived.config.items() if key != "_wandb"}
    assert settings == json.loads((tmp_path / "run" / "results.json").read_text())["config"]
    assert (settings["model"]["beta"], settings["data"]["batch_size"]) == (1, 64)
    assert str(tmp_path) not in json.dumps(settings)
    assert (arrived.summary["parameters"], arrived.summary["collapsed"]) == (64084, False)
    assert server.artifacts[f"run-{name}-dimensions_table"].is_committed
    assert set(server.artifacts) == {f"run-{name}-dimensions_table"}  # no checkpoints, unless asked
    assert summarised(arrived) == pytest.approx(metrics(tmp_path / "run"), abs=1e-5)
    for key in ("train/loss", "lr", "beta", "val/loss"):
        assert len([row for row in arrived.history if key in row and "trainer/global_step" in row]) == 2
    assert "requirements.txt" in arrived.files
    assert arrived.exit_code == 0


@pytest.mark.nightly
def test_checkpoints_arrive_as_an_artifact_where_asked(server, execute, tmp_path):
    online = ["logger.wandb.mode=online", "logger.wandb.log_model=true", "hydra.run.dir=run"]
    done = execute("python", "src/train.py", "model=vae", *QUICK, *online)
    assert done.returncode == 0, done.stderr
    ((name, _),) = server.runs.items()
    artifact = server.artifacts[f"model-{name}"]
    assert (artifact.type, artifact.run, artifact.is_committed) == ("model", name, True)
    assert artifact.files == {
        file: (tmp_path / "run" / "checkpoints" / file).read_bytes() for file in ("best.ckpt", "last.ckpt")
    }


@pytest.mark.nightly
def test_training_evaluation_and_report_arrive_as_runs_of_one_group(server, execute, tmp_path):
    knobs = ["model=beta_vae", "model.beta=1", "seed=0,1", "hydra.sweep.dir=ladder"]
    assert execute("python", "src/train.py", "-m", *knobs, *QUICK, "logger.wandb.mode=online").returncode == 0
    folder = next((tmp_path / "ladder").glob("*seed=1*"))
    evaluation = ["measures=reconstruction", "wandb=online", f"run='{folder}'"]
    done = execute("python", "src/evaluate.py", *evaluation)
    assert done.returncode == 0, done.stderr
    done = execute("env", "WANDB_MODE=online", "python", "src/compare.py", "ladder", "--wandb", "--entity", "lab")
    assert done.returncode == 0, done.stderr
    assert {arrived.group for arrived in server.runs.values()} == {"ladder"}
    by_type = {}
    for arrived in server.runs.values():
        by_type.setdefault(arrived.job_type, []).append(arrived)
    assert {kind: sorted(one.display_name for one in of_kind) for kind, of_kind in by_type.items()} == {
        "train": ["beta_vae digits beta=1 seed=0", "beta_vae digits beta=1 seed=1"],
        "evaluate": ["evaluate beta_vae digits beta=1 seed=1"],
        "report": ["report ladder"],
    }
    (evaluated,), (report,) = by_type["evaluate"], by_type["report"]
    assert evaluated.config["model"]["beta"] == 1
    assert evaluated.config["evaluation"] == {"run": folder.name, "checkpoint": "last", "seed": 0, "beta": None}
    assert 0 < evaluated.summary["evaluation/reconstruction/mse"] < 1
    assert report.entity == "lab"
    charts = report.config["_wandb"]["visualize"]
    assert charts["plane"]["panel_config"]["panelDefId"] == "wandb/scatter/v0"
    pictures = {f"report/{path.stem}" for path in (tmp_path / "ladder" / "report").glob("*.png")}
    assert {"plane_table", "plane_means_table", "runs", "report/page", *pictures} <= set(report.summary)
    assert pictures
    assert report.summary["runs"]["nrows"] == 2


@pytest.mark.nightly
def test_a_run_that_fails_arrives_as_failed(server, execute):
    hopeless = ["optimizer=adam_constant", "optimizer.lr=1e30"]
    done = execute("python", "src/train.py", "model=vae", *QUICK, *hopeless, "logger.wandb.mode=online")
    assert done.returncode == 1
    assert "nan at training step" in done.stderr
    (arrived,) = server.runs.values()
    assert arrived.exit_code == 1


def test_an_offline_run_and_its_resumption_arrive_by_wandb_sync_as_one_run(server, execute, config, tmp_path):
    offline = ["model=beta_vae", "model.beta=1", "optimizer=adam_constant", "logger.wandb.mode=offline"]
    # in this process: an offline run asks for no server
    run(config(*offline, "trainer.max_epochs=1"))
    run(config(*offline, "trainer.max_epochs=2", "resume=true"))
    recordings = wandb_lifecycle.recordings(tmp_path / "run")
    assert len(recordings) == 2
    done = execute("wandb", "sync", *recordings)
    assert done.returncode == 0, done.stderr
    ((name, arrived),) = server.runs.items()
    assert all((recording / f"run-{name}.wandb").is_file() for recording in recordings)
    assert arrived.config["model"]["latent_dim"] == 10
    assert summarised(arrived) == pytest.approx(metrics(tmp_path / "run"), abs=1e-5)
    assert [row["epoch"] for row in arrived.history if "val/loss" in row] == [1, 2]
    # rows of the second session go after those of the first, not in their place
    assert [row["_step"] for row in arrived.history] == list(range(len(arrived.history)))
    assert arrived.exit_code == 0


@pytest.mark.parametrize("file", SWEEPS, ids=[file.stem for file in SWEEPS])
def test_a_sweep_file_opens_with_its_question_and_its_command_and_describes_members(model, file):
    question, command = file.read_text().splitlines()[:2]
    assert question.endswith("?")
    assert f"wandb sweep {file.relative_to(ROOT)}" in command
    sweep = yaml.safe_load(file.read_text())
    constants = [part for part in sweep["command"] if not part.startswith("${")]
    assert "logger.wandb.mode=online" in constants
    # the agent would pass null on as the word None
    assert None not in [value for parameter in sweep["parameters"].values() for value in values(parameter)]
    for one in (0, -1):
        model(*constants, *[f"{key}={values(parameter)[one]}" for key, parameter in sweep["parameters"].items()])


@pytest.mark.nightly
def test_an_agent_trains_what_the_sweep_at_the_server_hands_out(server, execute):
    asked = execute("wandb", "sweep", "sweeps/wandb/beta_grid.yaml")
    assert asked.returncode == 0, asked.stderr
    ((name, told),) = server.sweeps.items()
    sweep = yaml.safe_load(told)
    grid, bayes = (yaml.safe_load(file.read_text()) for file in (GRID, BAYES))
    assert sweep == grid
    agent = f"wandb agent {ENTITY}/{sweep['project']}/{name}"
    assert agent in asked.stderr

    small = dict(setting.split("=") for setting in QUICK)
    betas = dict(zip(("first", "second"), sweep["parameters"]["model.beta"]["values"], strict=False))
    # both at once, because the agent looks only every five seconds whether a run has ended
    for run_id, beta in betas.items():
        args = {key: {"value": value} for key, value in {**small, "model.beta": beta, "seed": 1}.items()}
        server.commands.append({"type": "run", "run_id": run_id, "program": sweep["program"], "args": args})
    done = execute(*agent.split(), "--count", "2")
    assert done.returncode == 0, done.stderr
    assert {run_id: arrived.config["model.beta"] for run_id, arrived in server.runs.items()} == betas
    for run_id, arrived in server.runs.items():
        assert (arrived.project, arrived.sweep, arrived.exit_code) == (sweep["project"], name, 0)
        assert (arrived.config["model"]["beta"], arrived.config["seed"]) == (betas[run_id], 1)
        assert {"test/nelbo", bayes["metric"]["name"]} <= set(arrived.summary)

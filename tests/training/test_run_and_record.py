"""One run in this process: what it leaves, and how it refuses."""

import csv
import json
import math
import pickle
import warnings
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from matplotlib.image import imread

from support.compositions import MODELS
from support.datasets import write_cifar10, write_dsprites, write_mnist, write_photos
from support.interruption import interrupted_at
from support.nightly import at_night_but
from support.run_in_process import recorded_metrics
from support.wandb_offline_runs import recorded
from vaesweep.errors import ConfigError, DivergenceError
from vaesweep.models import VAE
from vaesweep.records import wandb_lifecycle
from vaesweep.records.results import Results
from vaesweep.training.build_parts import build_data, build_module
from vaesweep.training.callbacks import FigureLogger, GracefulStop
from vaesweep.training.epoch_metrics import EpochMetrics
from vaesweep.training.lightning_module import LitAutoencoder
from vaesweep.training.planned_run import PlannedRun
from vaesweep.training.run_and_record import run

SHORT = "trainer.max_epochs=2"


def record(folder):
    return json.loads((folder / "results.json").read_text())


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


@pytest.mark.slow
def test_a_run_leaves_everything_in_its_folder(config, folder, capsys):
    metrics = recorded_metrics(config("model=vae", SHORT, "callbacks=default", "logger.wandb.mode=offline"))
    assert {p.name for p in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    names = {"reconstructions", "traversals", "latent_scatter", "posterior", "samples"}
    assert {p.name for p in (folder / "examples").iterdir()} == {
        f"{name}.png" for name in ("originals", "reconstructions", "samples")
    }
    assert {p.name for p in (folder / "figures").iterdir()} == {f"{name}.png" for name in names}
    left = record(folder)
    assert (left["status"], left["reason"], left["model"], left["data"]) == ("completed", None, "vae", "digits")
    assert left["metrics"] == metrics
    assert (left["epochs"], left["seed"]) == (2, 0)
    assert left["seconds"] > 0
    assert left["device"] == "cpu"
    assert left["parameters"] == 64 * 400 + 400 + 400 * 20 + 20 + 10 * 400 + 400 + 400 * 64 + 64
    said = capsys.readouterr().out
    assert "nats per image" in said
    assert " s an epoch) on cpu, " in said
    assert said.splitlines()[-2].startswith("look at it   wandb leet ")
    assert wandb_lifecycle.recordings(folder)


@pytest.mark.slow
def test_w_and_b_gets_the_same_scalars_and_the_figures(config, folder):
    metrics = recorded_metrics(config("model=vae", SHORT, "callbacks=default", "logger.wandb.mode=offline"))
    kept = recorded(folder)
    assert {key: kept["summary"][key] for key in metrics} == pytest.approx(metrics, rel=1e-4)
    assert {"train/loss", "val/kl", "figures/samples", "epoch"} <= set(kept["summary"])
    assert kept["config"]["choices"]["model"] == "vae"
    assert (kept["exit_code"], kept["name"]) == (0, "vae digits beta=1 seed=0")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
def test_figures_are_drawn_in_any_precision(config, folder, precision):
    run(config("model=vae", "model.latent_dim=2", SHORT, "callbacks=default", f"trainer.precision={precision}"))
    assert len(list((folder / "figures").glob("*.png"))) == 6


@pytest.mark.slow
def test_in_float64_a_knob_is_the_number_that_was_written_and_the_weights_are_those_of_float32(config, folder):
    settings = ["model=beta_vae", "model.beta=0.1", "model.likelihood.sigma=0.3", "model/likelihood=gaussian"]
    states = {}
    for precision in ("32-true", "64-true"):
        made = config(*settings, f"trainer.precision={precision}", folder=folder / precision)
        job = PlannedRun(made, folder / precision, Results.from_config(made, []))
        states[precision] = build_module(job, build_data(made)).model.state_dict()
    single, double = states.values()
    assert double["beta"].item() == 0.1 != single["beta"].item()
    assert double["likelihood.log_sigma"].item() == math.log(0.3) != single["likelihood.log_sigma"].item()
    weights = [name for name in double if name.startswith(("encoder", "decoder"))]
    assert all(torch.equal(double[name], single[name].double()) for name in weights)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_model_runs(config, folder, name):
    metrics = recorded_metrics(config(f"model={name}", SHORT))
    assert record(folder)["status"] == "completed"
    assert {"test/loss", "test/distortion", "test/mse"} <= set(metrics)


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """Overrides for a small version of every dataset."""
    write_mnist(tmp_path / "root", "MNIST", n=40)
    write_mnist(tmp_path / "root", "FashionMNIST", n=40)
    write_cifar10(tmp_path / "root", monkeypatch)
    write_dsprites(tmp_path / "root")
    write_photos(tmp_path / "photos", n=40)
    root = f"data.root={tmp_path / 'root'}"
    return {
        "digits": [],
        "mnist": [root],
        "fashion_mnist": [root],
        "cifar10": [root],
        "shapes": ["data.size=60"],
        "dsprites": [root],
        "folder": [f"data.path={tmp_path / 'photos'}", f"data.cache={tmp_path / 'cache'}"],
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", at_night_but(["vae"], ["vae", "cvae"]))  # steps of the others are in test_module
def test_a_run_on_every_dataset(config, tmp_path, sources, name):
    small = (
        "data.batch_size=8",
        "trainer.max_epochs=1",
        "+trainer.limit_train_batches=1",
        "+trainer.limit_val_batches=1",
    )
    for data, overrides in sources.items():
        chosen = f"model={name}", f"data={data}"
        metrics = recorded_metrics(config(*chosen, *small, *overrides, folder=tmp_path / data))
        assert metrics["test/loss"] > 0


@pytest.mark.slow
def test_the_same_seed_gives_the_same_result(config, tmp_path):
    results = [
        recorded_metrics(config("model=vae", SHORT, f"seed={s}", folder=tmp_path / n))
        for n, s in [("a", 0), ("b", 0), ("c", 1)]
    ]
    assert results[0] == results[1] != results[2]


@pytest.mark.slow
@pytest.mark.nightly
def test_compiling_changes_nothing_but_speed(config, tmp_path, monkeypatch):
    compiled, original = [], torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compiled.append(type(self)) or original(self))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # inductor's own
        runs = [
            recorded_metrics(config("model=vae", SHORT, f"compile={c}", folder=tmp_path / c)) for c in ("false", "true")
        ]
    assert runs[1] == pytest.approx(runs[0], rel=1e-3)
    assert compiled == [VAE]


def wreck_from(epoch, monkeypatch):
    """Draw the decoder of every run anew, and badly, before the validation of an epoch and of all that follow."""

    def wreck(self):
        if self.current_epoch >= epoch:
            torch.manual_seed(self.current_epoch)
            torch.nn.init.normal_(self.model.decoder[0].weight, std=100)

    monkeypatch.setattr(LitAutoencoder, "on_validation_epoch_start", wreck)


@pytest.mark.slow
def test_the_best_weights_are_known_after_the_folder_was_moved(config, tmp_path, monkeypatch):
    """The best are those of the first epoch; without its score any later epoch would be better than none."""
    wreck_from(1, monkeypatch)
    settings = "model=ae", "trainer.max_epochs=4", "optimizer=adam_constant", "test_checkpoint=best"
    whole = recorded_metrics(config(*settings, folder=tmp_path / "whole"))
    with monkeypatch.context() as patch:
        interrupted_at(50, patch)
        with pytest.raises(SystemExit, match="143"):
            run(config(*settings, folder=tmp_path / "here"))
    (tmp_path / "here").rename(tmp_path / "there")
    assert recorded_metrics(config(*settings, "resume=true", folder=tmp_path / "there")) == whole
    best, kept = (
        torch.load(tmp_path / "there" / "checkpoints" / f"{name}.ckpt", weights_only=True) for name in ("best", "last")
    )
    assert best["global_step"] == 20
    assert not (tmp_path / "here").exists()
    states = [state for state in kept["callbacks"].values() if "dirpath" in state]
    assert {state["dirpath"] for state in states} == {"."}
    assert {state["best_model_path"] for state in states} <= {"best.ckpt", "last.ckpt", ""}


DAMAGE = {
    "empty": lambda file: file.write_bytes(b""),
    "half": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "text": lambda file: file.write_text("not a checkpoint"),
    "pickle": lambda file: file.write_bytes(pickle.dumps(Path("/"))),
    "weights of another program": lambda file: torch.save({"state_dict": {}}, file),
    "tensor": lambda file: torch.save(torch.zeros(3), file),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_refused_in_one_line_and_the_record_stays(config, folder, monkeypatch, damage):
    with monkeypatch.context() as patch:
        interrupted_at(25, patch)
        with pytest.raises(SystemExit, match="143"):
            run(config("model=ae", "trainer.max_epochs=3"))
    before = (folder / "results.json").read_text()
    DAMAGE[damage](folder / "checkpoints" / "last.ckpt")
    with pytest.raises(ConfigError, match=r"^resume: got .*last.ckpt, which .*; allowed: .*checkpoint of a run.*$"):
        run(config("model=ae", "trainer.max_epochs=3", "resume=true"))
    assert (folder / "results.json").read_text() == before


@pytest.mark.slow
def test_damaged_best_weights_are_refused_in_one_line(config, folder, monkeypatch):
    settings = "model=ae", "trainer.max_epochs=3", "optimizer=adam_constant", "test_checkpoint=best"
    wreck_from(1, monkeypatch)
    with monkeypatch.context() as patch:
        interrupted_at(45, patch)
        with pytest.raises(SystemExit, match="143"):
            run(config(*settings))
    (folder / "checkpoints" / "best.ckpt").write_bytes(b"half")
    with pytest.raises(ConfigError, match=r"^test_checkpoint: got .*best.ckpt, which cannot be read .*$"):
        run(config(*settings, "resume=true"))


@pytest.mark.slow
def test_best_weights_are_tested_when_asked(config, tmp_path, monkeypatch):
    """With a decoder that is wrecked in the last epoch, best and last differ."""

    def wreck(self):
        if self.current_epoch == 2:
            torch.nn.init.normal_(self.model.decoder[0].weight, std=10)

    monkeypatch.setattr(LitAutoencoder, "on_train_epoch_start", wreck)
    wild = ["model=ae", "trainer.max_epochs=3", "optimizer=adam_constant", "optimizer.lr=1e-3"]
    last = recorded_metrics(config(*wild, folder=tmp_path / "last"))
    best = recorded_metrics(config(*wild, "test_checkpoint=best", folder=tmp_path / "best"))
    checkpoints = [
        torch.load(tmp_path / "best" / "checkpoints" / f, weights_only=True) for f in ("best.ckpt", "last.ckpt")
    ]
    assert checkpoints[0]["global_step"] < checkpoints[1]["global_step"]
    assert best["test/loss"] < last["test/loss"]


@pytest.mark.slow
def test_checkpoints_hold_plain_tensors_under_the_models_names(config, folder):
    run(config("model=vae", SHORT, "compile=false"))
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert "model.encoder.body.0.weight" in state
    assert "model.beta" in state


@pytest.mark.slow
@pytest.mark.parametrize("step", [7, 20, 21, 60])
def test_an_interrupted_run_resumes_to_the_same_weights(config, tmp_path, monkeypatch, step):
    """In mid-epoch, at the end of an epoch, just after, and in the very last step."""
    settings = "model=vae", "model/schedule=linear", "data.binarize=dynamic", "trainer.max_epochs=3"
    whole = recorded_metrics(config(*settings, folder=tmp_path / "whole"))
    with monkeypatch.context() as patch:
        interrupted_at(step, patch)
        with pytest.raises(SystemExit, match="143"):
            run(config(*settings, folder=tmp_path / "part"))
    left = record(tmp_path / "part")
    assert (left["status"], left["reason"]) == ("interrupted", "SIGTERM")
    assert recorded_metrics(config(*settings, "resume=true", folder=tmp_path / "part")) == whole
    states = [torch.load(tmp_path / f / "checkpoints" / "last.ckpt", weights_only=True) for f in ("whole", "part")]
    assert states[0]["global_step"] == states[1]["global_step"] == 60
    for name, value in states[0]["state_dict"].items():
        assert torch.equal(value, states[1]["state_dict"][name]), name
    curves = [(tmp_path / name / "history.csv").read_text() for name in ("whole", "part")]
    assert curves[0] == curves[1]
    ended = record(tmp_path / "part")
    assert (ended["status"], ended["epochs"]) == ("completed", 3)
    assert ended["config_hash"] == record(tmp_path / "whole")["config_hash"]


@pytest.mark.slow
def test_gradients_that_are_being_accumulated_are_not_lost(config, tmp_path, monkeypatch):
    settings = "model=ae", "trainer.accumulate_grad_batches=4", SHORT
    whole = recorded_metrics(config(*settings, folder=tmp_path / "whole"))
    original = GracefulStop.on_train_batch_end

    def told(self, trainer, module, outputs, batch, batch_idx):
        if batch_idx == 5:
            self.handle_signal(15, None)
        original(self, trainer, module, outputs, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(GracefulStop, "on_train_batch_end", told)
        with pytest.raises(SystemExit, match="143"):
            run(config(*settings, folder=tmp_path / "part"))
    assert recorded_metrics(config(*settings, "resume=true", folder=tmp_path / "part")) == whole


@pytest.mark.slow
def test_a_finished_run_can_be_resumed_for_longer(config, folder):
    short = "model=ae", "optimizer=adam_constant"
    run(config(*short, SHORT))
    assert recorded_metrics(config(*short, "trainer.max_epochs=4", "resume=true"))
    assert record(folder)["epochs"] == 4


@pytest.mark.slow
def test_a_finished_cycle_cannot_be_made_longer(config, folder):
    run(config("model=ae", SHORT))
    with pytest.raises(ConfigError, match=r"trainer.max_epochs: got 4 \(80 steps\) to resume a cycle of 40 steps"):
        run(config("model=ae", "trainer.max_epochs=4", "resume=true"))
    assert record(folder)["status"] == "completed"  # the record of what there is, not of what was refused


@pytest.mark.slow
def test_a_completed_run_is_not_run_again(config, folder, capsys):
    first = recorded_metrics(config("model=ae", SHORT))
    written = (folder / "results.json").stat().st_mtime_ns
    assert recorded_metrics(config("model=ae", SHORT, "resume=true", "logger.wandb.project=other")) == first
    assert (folder / "results.json").stat().st_mtime_ns == written
    assert "completed earlier" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "line"),
    [
        ("beta_vae", "resume: got a checkpoint with model.beta=4; allowed: 16"),
        ("vae", "resume: got a checkpoint with model.beta=None; allowed: 16"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(config, folder, monkeypatch, model, line):
    """Its weights and knobs would be recorded under the name of these."""
    with monkeypatch.context() as patch:
        interrupted_at(30, patch)
        with pytest.raises(SystemExit):
            run(config(f"model={model}", "trainer.max_epochs=3"))
    with pytest.raises(ConfigError, match=line):
        run(config("model=beta_vae", "model.beta=16", "trainer.max_epochs=3", "resume=true"))
    assert record(folder)["status"] == "interrupted"


@pytest.mark.slow
def test_a_checkpoint_is_whole_or_not_there(config, folder, monkeypatch):
    def cut(path, content):
        path.write_text("half")
        raise OSError("no space left on device")

    run(config("model=ae", SHORT, "optimizer=adam_constant"))
    before = (folder / "checkpoints" / "last.ckpt").read_bytes()
    monkeypatch.setattr(Path, "write_bytes", cut)
    with pytest.raises(OSError, match="no space"):
        run(config("model=ae", "trainer.max_epochs=4", "optimizer=adam_constant", "resume=true"))
    assert (folder / "checkpoints" / "last.ckpt").read_bytes() == before


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`ModelCheckpoint.monitor")
def test_epochs_that_are_cut_short_or_not_validated_have_their_own_rows(config, folder):
    steps = "+trainer.max_steps=25", "trainer.log_every_n_steps=1000", "trainer.max_epochs=4"
    run(config("model=ae", *steps))
    rows = list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
    assert len(rows) == 2
    assert rows[0]["train/loss"] != rows[1]["train/loss"]
    run(config("model=ae", "trainer.max_epochs=3", "+trainer.check_val_every_n_epoch=2", folder=folder / "other"))
    rows = list(csv.DictReader((folder / "other" / "history.csv").read_text().splitlines()))
    assert [bool(row["val/loss"]) for row in rows] == [False, True, False]


def test_a_folder_in_which_another_process_runs_is_left_alone(config, folder, monkeypatch):
    monkeypatch.setattr("vaesweep.training.run_lock.LOCK_SECONDS", 0.1)
    folder.mkdir()
    with (
        FileLock(folder / ".lock"),
        pytest.raises(ConfigError, match=r"folder: got .*run while another process runs in it"),
    ):
        run(config("model=ae", SHORT))
    assert {p.name for p in folder.iterdir()} == {".lock"}


@pytest.mark.slow
def test_curves_are_epoch_means_and_validation_metrics(config, folder):
    metrics = recorded_metrics(config("model=vae", SHORT, "trainer.log_every_n_steps=7"))
    rows = list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    terms = {f"train/{t}" for t in ("loss", "distortion", "kl", "nelbo")}
    assert terms <= set(rows[0])
    assert {name.replace("test", "val") for name in metrics} <= set(rows[0])
    row = {name: float(value) for name, value in rows[1].items()}
    assert row["train/nelbo"] == pytest.approx(row["train/distortion"] + row["train/kl"], rel=1e-5)
    assert row["train/nelbo"] == pytest.approx(row["val/nelbo"], rel=0.2)


@pytest.mark.slow
def test_the_mean_of_an_epoch_is_that_of_its_steps(config, folder, monkeypatch):
    losses, original = [], LitAutoencoder.training_step

    def step(self, batch, batch_idx):
        loss = original(self, batch, batch_idx)
        losses.append(loss.item())
        return loss

    monkeypatch.setattr(LitAutoencoder, "training_step", step)
    run(config("model=ae", SHORT, "trainer.log_every_n_steps=7"))
    rows = list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
    assert float(rows[1]["train/loss"]) == pytest.approx(sum(losses[20:]) / 20, rel=1e-5)


@pytest.mark.slow
def test_what_each_dimension_carries_is_recorded(config, tmp_path):
    metrics = recorded_metrics(config("model=vae", SHORT, folder=tmp_path / "vae"))
    carried = record(tmp_path / "vae")["dimensions"]
    assert len(carried) == 10
    assert sum(carried) == pytest.approx(metrics["test/kl"], rel=1e-4)
    run(config("model=ae", SHORT, folder=tmp_path / "ae"))
    assert min(record(tmp_path / "ae")["dimensions"]) > 0


@pytest.mark.slow
def test_examples_are_the_same_images_whatever_the_seed(config, tmp_path):
    strips = {}
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        run(config("model=cvae", SHORT, f"seed={seed}", "callbacks.example_images.count=5", folder=folder))
        strips[seed] = {path.stem: imread(path) for path in (folder / "examples").iterdir()}
    assert {strip.shape for strip in strips[0].values()} == {(8, 5 * 9 - 1, 3)}
    assert (strips[0]["originals"] == strips[1]["originals"]).all()
    assert (strips[0]["reconstructions"] != strips[1]["reconstructions"]).any()


@pytest.mark.slow
def test_divergence_is_recorded_here_and_in_w_and_b(config, folder):
    wild = "optimizer=adam_constant", "optimizer.lr=1e8", "logger.wandb.mode=offline"
    with pytest.raises(DivergenceError):
        run(config("model=vae", *wild, "trainer.max_epochs=3"))
    left = record(folder)
    assert left["status"] == "failed"
    assert "step" in left["reason"]
    assert recorded(folder)["exit_code"] == 1


@pytest.mark.slow
def test_figures_are_drawn_on_schedule_and_at_the_end(config, monkeypatch):
    drawn = []
    monkeypatch.setattr(FigureLogger, "draw", lambda self, trainer, module: drawn.append(trainer.current_epoch))
    run(config("model=ae", "callbacks=default", "callbacks.figures.every_n_epochs=2", "trainer.max_epochs=6"))
    assert drawn == [1, 3, 6]


REFUSALS = {
    "seed=-1": "seed: got -1; allowed: a whole number from 0 to 4294967295",
    "test_checkpoint=first": "test_checkpoint: got first; allowed: last | best",
    "trainer.max_epochs=0": "trainer.max_epochs: got 0",
    "trainer.precision=bf15": "trainer.precision: got bf15; allowed: 32-true | bf16-mixed | 16-mixed | 64-true",
    "trainer.devices=2": "trainer.devices: got 2; allowed: 1, a list of one such as [0], or trainer=ddp",
    "network.hidden=400": "network.hidden: got 400; allowed: a list of whole numbers of at least 1",
    "+model.beat=3": "model.beat: got 3; allowed: settings of vaesweep.models.VAE: latent_dim, ",
    "trainer.strategy=foo": "trainer.strategy: got foo; allowed: auto | ddp, or a mapping with _target_",
    "compile=maybe": "compile: got maybe; allowed: true | false",
    "trainer.accelerator=gpu": "trainer.accelerator: got gpu; allowed: cpu | auto",
    "model.latent_dim=0": "model.latent_dim: got 0",
    "model.beta=-1": "model.beta: got -1; allowed: a number of at least 0",
    "network=burgess": "network: got burgess with images of 8 x 8; allowed: 32 x 32 | 64 x 64",
    "optimizer.lr=0": "optimizer.lr: got 0",
    "data.val_fraction=2": "data.val_fraction: got 2",
    "data.batch_size=5000": "data.batch_size: got 5000 with",
    "logger.wandb.mode=cloud": "logger.wandb.mode: got cloud; allowed: offline | online | disabled",
    "callbacks.figures.examples=0": "callbacks.figures.examples: got 0",
}


@pytest.mark.parametrize("override", REFUSALS)
def test_bad_input_is_refused_in_one_line_and_leaves_only_the_record(config, folder, override):
    if override == "trainer.accelerator=gpu" and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError) as refusal:
        run(config("callbacks=default", "logger.wandb.mode=offline", override))
    assert str(refusal.value).startswith(REFUSALS[override])
    assert "\n" not in str(refusal.value)
    assert record(folder)["reason"] == str(refusal.value)
    assert {p.name for p in folder.iterdir()} == {".lock", "results.json"}


@pytest.mark.slow
def test_a_folder_that_holds_another_run_is_left_alone(config, folder):
    run(config("model=ae", SHORT))
    before = record(folder)
    with pytest.raises(
        ConfigError, match=r"hydra.run.dir: got .*run, which holds another run; allowed: a folder of its"
    ):
        run(config("model=ae", SHORT, "seed=1"))
    assert record(folder)["seed"] == before["seed"]
    run(config("model=ae", SHORT))  # the same once more


@pytest.mark.slow
def test_a_folder_in_which_a_run_was_refused_is_free(config, folder):
    with pytest.raises(ConfigError, match=r"data.batch_size: got 5000"):
        run(config("model=ae", SHORT, "data.batch_size=5000"))
    run(config("model=ae", SHORT))
    assert record(folder)["status"] == "completed"


def test_a_setting_that_is_refused_as_no_number_is_recorded(config, folder):
    with pytest.raises(ConfigError, match=r"model.beta: got nan; allowed: a number of at least 0"):
        run(config("model.beta=nan"))
    assert record(folder)["reason"] == "model.beta: got nan; allowed: a number of at least 0"
    assert record(folder)["config"]["model"]["beta"] == "nan"


@pytest.mark.slow
def test_a_metric_that_is_no_finite_number_is_recorded(config, folder, monkeypatch, capsys):
    original = EpochMetrics.finish_split

    def finish_split(self, stage, *rest):
        original(self, stage, *rest)
        self.metrics |= {f"{stage}/mse": torch.tensor(math.nan)}
        return self.metrics

    monkeypatch.setattr(EpochMetrics, "finish_split", finish_split)
    run(config("model=ae", SHORT))
    assert record(folder)["status"] == "completed"
    assert math.isnan(Results.read(folder).metrics["test/mse"])
    assert "kept as text in results.json: metrics.val/mse=nan, metrics.test/mse=nan" in capsys.readouterr().out

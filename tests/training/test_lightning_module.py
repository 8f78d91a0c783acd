"""Training through Lightning, in this process."""

import json
from types import SimpleNamespace

import lightning as L
import pandas as pd
import pytest
import torch
from scipy import stats

from support.compositions import MODELS
from support.run_in_process import recorded_metrics
from vaesweep.data import Digits, ImageDataModule
from vaesweep.errors import ConfigError, DivergenceError
from vaesweep.models import Batch, Spec
from vaesweep.records.per_image_scores import read_image_scores
from vaesweep.records.results import Results
from vaesweep.settings.instantiate import build
from vaesweep.training.lightning_module import LitAutoencoder, draw_noise
from vaesweep.training.optimizers import Adam
from vaesweep.training.run_and_record import run

QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


def trainer(**options):
    settings = {"accelerator": "cpu", "max_epochs": 1, "num_sanity_val_steps": 0, "inference_mode": False}
    return L.Trainer(**QUIET | settings | options)


def lit(made, lr=1e-3, lr_schedule="constant", seed=0):
    return LitAutoencoder(made, Adam(lr, 0.0, (0.9, 0.999), lr_schedule), seed)


class Recorder(L.Callback):
    """Keeps what is logged, and the weight of the KL at every step."""

    def __init__(self):
        self.progress = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.progress.append(pl_module.model.progress.item())


@pytest.mark.slow
def test_progress_runs_from_0_and_is_whole_where_it_is_scored(model, digits):
    recorder, module = Recorder(), lit(model("model=vae"))
    trainer(max_epochs=2, callbacks=[recorder]).fit(module, datamodule=digits)
    steps = len(digits.train_dataloader()) * 2
    assert recorder.progress == pytest.approx([i / steps for i in range(steps)])
    assert module.model.progress == 1


@pytest.mark.slow
def test_the_seed_decides_noise_and_nothing_global_does(model, digits):
    def weights(seed, disturbance):
        module = lit(model("model=vae"), seed=seed)
        torch.manual_seed(disturbance)
        trainer().fit(module, datamodule=digits)
        return torch.cat([p.flatten() for p in module.parameters()])

    assert torch.equal(weights(0, 1), weights(0, 2))
    assert not torch.equal(weights(0, 1), weights(1, 1))


def test_test_metrics_are_means_over_the_whole_split(model, digits):
    module = lit(model("model=ae"))
    (scores,) = trainer().test(module, datamodule=digits, verbose=False)
    split = digits.splits["test"]
    image = split.images[split.indices].float() / 16
    everything = Batch(image, split.labels[split.indices])
    terms = module.model(everything, torch.zeros(len(image), 0))
    output = module.model.generate(module.model.posterior(*everything).mean, everything.label)
    assert scores["test/distortion"] == pytest.approx(terms.distortion.item(), rel=1e-5)
    assert scores["test/mse"] == pytest.approx((output - image).square().mean().item(), rel=1e-5)
    assert set(scores) == {"test/loss", "test/distortion", "test/mse", "test/active_units"}


@pytest.mark.parametrize(
    ("name", "own"),
    [("sparse", {"sparsity"}), ("contractive", {"contraction"}), ("beta_vae", {"kl", "nelbo"})],
)
def test_each_model_has_its_own_metrics(model, digits, name, own):
    (scores,) = trainer().test(lit(model(f"model={name}")), datamodule=digits, verbose=False)
    assert set(scores) == {f"test/{metric}" for metric in {"loss", "distortion", "mse", "active_units"} | own}
    if name == "beta_vae":
        assert scores["test/nelbo"] == pytest.approx(scores["test/distortion"] + scores["test/kl"], rel=1e-5)
        assert scores["test/loss"] == pytest.approx(scores["test/distortion"] + 4 * scores["test/kl"], rel=1e-5)


def test_the_scale_of_a_point_code_does_not_decide_which_units_are_active(model, digits):
    class Small(torch.nn.Module):
        def forward(self, z):
            return 1e-3 * z

    module = lit(model("model=ae"))
    (usual,) = trainer().test(module, datamodule=digits, verbose=False)
    module.model.code = Small()
    (small,) = trainer().test(module, datamodule=digits, verbose=False)
    assert small["test/active_units"] == usual["test/active_units"] == 10


def test_a_loss_that_diverges_names_step_and_term(model, digits):
    module = lit(model("model=vae"))

    class Poison(L.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            if trainer.global_step == 7:
                module.model.encoder.body[-1].bias.data[10:] = 500.0  # exp(500) overflows

    with pytest.raises(
        DivergenceError, match=r"^(distortion is nan|kl is inf) at training step 7: a lower optimizer.lr"
    ):
        trainer(callbacks=[Poison()]).fit(module, datamodule=digits)


class Wide(ImageDataModule):
    """Images that leave [0, 1]."""

    peak = 100

    def load(self):
        images = torch.randint(0, 256, (100, 1, 8, 8), dtype=torch.uint8)
        return (images, torch.zeros(100, 1, dtype=torch.int64)), None


@pytest.mark.slow
def test_bernoulli_with_data_outside_the_unit_interval_is_refused(model):
    data = Wide(batch_size=10, val_fraction=0.1, test_fraction=0.1, binarize="none", on_device=False, seed=0)
    with pytest.raises(ConfigError, match=r"likelihood: got bernoulli with data in \[0, 2"):
        trainer().fit(lit(model("model=ae")), datamodule=data)
    gaussian = model("model=ae", "model/likelihood=gaussian")
    trainer().fit(lit(gaussian), datamodule=data)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_bf16_stays_within_1_percent_of_float32(config, tmp_path, name):
    def loss(precision):
        overrides = f"model={name}", "trainer.max_epochs=1", f"trainer.precision={precision}"
        return recorded_metrics(config(*overrides, folder=tmp_path / precision))["test/loss"]

    assert loss("bf16-mixed") == pytest.approx(loss("32-true"), rel=0.01)


def test_noise_is_fresh_at_every_step_and_shared_out_among_processes(model, batch):
    module = lit(model("model=vae"))

    def draw(*name, **share):
        return module.noise(batch, *name, **share)

    assert torch.equal(draw("train", 0, 3), draw("train", 0, 3))
    others = draw("train", 0, 4), draw("train", 1, 3), draw("val", 0, 3)
    assert not any(torch.equal(draw("train", 0, 3), other) for other in others)
    halves = [draw("train", 0, 3, world=2, rank=rank) for rank in range(2)]
    assert halves[0].shape == draw("train", 0, 3).shape
    assert not torch.equal(*halves)


@pytest.mark.slow
def test_training_steps_use_fresh_noise(model, digits, monkeypatch):
    names = []
    original = LitAutoencoder.noise
    monkeypatch.setattr(LitAutoencoder, "noise", lambda self, b, *n, **k: names.append(n) or original(self, b, *n, **k))
    trainer(max_epochs=2, limit_val_batches=0).fit(lit(model("model=vae")), datamodule=digits)
    names.remove(("check",))
    assert len(set(names)) == len(names) == 2 * len(digits.train_dataloader())


def test_a_denoising_mse_is_that_of_what_was_corrupted(model, digits):
    def mse(level):
        made = model("model=denoising", f"model.level={level}")
        return trainer().test(lit(made), datamodule=digits, verbose=False)[0]["test/mse"]

    assert mse(0.9) != pytest.approx(mse(0), rel=1e-3)


@pytest.mark.parametrize(("name", "metric"), [("sparse", "sparsity"), ("vae", "loss")])
def test_scores_do_not_depend_on_the_batches_of_the_split(model, name, metric):
    """A penalty that is not linear in a batch mean is taken once, over the whole split."""

    def score(size):
        data = Digits(batch_size=size, val_fraction=0.1, test_fraction=0.2, binarize="none", on_device=False, seed=0)
        made = model(f"model={name}", *(["model.free_bits=0.05"] if name == "vae" else []))
        monkey = lit(made)
        monkey.noise = lambda batch, *_: torch.zeros(made.noise_shape(batch))
        return trainer().test(monkey, datamodule=data, verbose=False)[0][f"test/{metric}"]

    assert score(16) == pytest.approx(score(359), rel=1e-5)


@pytest.mark.slow
def test_clipping_goes_with_mixed_precision(config, tmp_path):
    overrides = "model=ae", "trainer.max_epochs=1", "trainer.precision=bf16-mixed"
    free = recorded_metrics(config(*overrides, folder=tmp_path / "free"))
    held = recorded_metrics(config(*overrides, "trainer.gradient_clip_val=1e-9", folder=tmp_path / "held"))
    assert held["test/loss"] > free["test/loss"] + 1  # Adam's epsilon no longer negligible: hardly a step is taken


def test_weight_decay_leaves_sigma_alone(model):
    module = lit(model("model=vae", "model/likelihood=gaussian", "model.likelihood.learn=true"))
    data = SimpleNamespace(train_dataloader=lambda: [0] * 10)
    module._trainer = SimpleNamespace(
        datamodule=data, limit_train_batches=0.5, accumulate_grad_batches=2, max_epochs=4, max_steps=-1,
        gradient_clip_val=None, precision="32-true",
    )  # fmt: skip
    module.optimizer_recipe = Adam(1e-3, 0.1, (0.9, 0.999), "constant")
    groups = module.configure_optimizers().param_groups
    assert module.steps == 3 * 4
    (sigma,) = [g for g in groups if g["weight_decay"] == 0]
    assert sigma["params"] == [module.model.likelihood.log_sigma]
    assert sum(len(g["params"]) for g in groups) == len(list(module.model.parameters()))


SHAPES = {"digits": (1, 8, 8), "mnist": (1, 28, 28), "cifar10": (3, 32, 32), "shapes": (1, 64, 64)}
FITTING = {
    "mlp": SHAPES,
    "linear": SHAPES,
    "conv": SHAPES,
    "burgess": {name: shape for name, shape in SHAPES.items() if shape[1] in (32, 64)},
}


@pytest.mark.slow
@pytest.mark.parametrize("network", FITTING)
@pytest.mark.parametrize("name", MODELS)
def test_every_model_trains_a_batch_on_every_data_and_network_that_fit(config, name, network):
    composed = config(f"model={name}", f"network={network}")
    for shape in FITTING[network].values():
        torch.manual_seed(0)
        made = build(composed, "model", network=build(composed, "network"), spec=Spec(shape, 10))
        batch = Batch(torch.rand(8, *shape), torch.randint(0, 10, (8, 1)))
        noise = torch.randn(made.noise_shape(batch))
        optimizer = torch.optim.Adam(made.parameters(), lr=1e-5)
        before = made(batch, noise).loss
        before.backward()
        optimizer.step()
        assert made(batch, noise).loss < before


@pytest.mark.slow
@pytest.mark.nightly
def test_real_mnist_trains(config, mnist_root, tmp_path):
    """A short run on the real thing: well below the 206 nats of a decoder that knows only the mean image."""
    short = "trainer.max_epochs=1", "test_samples=1"
    metrics = recorded_metrics(config("model=vae", "data=mnist", f"data.root={mnist_root}", *short))
    record = json.loads((tmp_path / "run" / "results.json").read_text())
    assert metrics["test/nelbo"] < 140
    assert record["metrics"] == metrics


def test_noise_is_the_same_whatever_the_precision(model):
    made = model("model=vae")
    batch = Batch(torch.rand(6, 1, 8, 8), torch.zeros(6, 1, dtype=torch.int64))
    single = draw_noise(made, batch, (0, "x"), torch.device("cpu"), 1, 0)
    double = draw_noise(made.double(), Batch(batch.image.double(), batch.label), (0, "x"), torch.device("cpu"), 1, 0)
    assert double.dtype == torch.float64
    assert torch.equal(double.float(), single)


@pytest.mark.slow
def test_the_error_of_a_test_metric_is_that_of_its_mean_over_images(config, tmp_path):
    folder = tmp_path / "run"
    metrics = recorded_metrics(config("model=beta_vae", "model.beta=3", "trainer.max_epochs=1"))
    errors, images = Results.read(folder).errors, read_image_scores(folder)
    assert set(images) == {"loss", "distortion", "kl", "nelbo", "mse"}
    for name, values in images.items():
        assert metrics[f"test/{name}"] == pytest.approx(values.mean(), rel=1e-5)
        assert errors[f"test/{name}"] == pytest.approx(stats.sem(values), rel=1e-4)
    assert set(errors) == {f"{split}/{name}" for split in ("val", "test") for name in images}


@pytest.mark.slow
def test_a_penalty_that_is_no_mean_over_images_has_no_error(config, tmp_path):
    recorded_metrics(config("model=sparse", "trainer.max_epochs=1"))
    assert {name for name in Results.read(tmp_path / "run").errors if name.startswith("test/")} == {
        "test/distortion", "test/mse",
    }  # fmt: skip


@pytest.mark.slow
def test_draws_of_the_noise_are_averaged_and_make_it_small_beside_the_images(config, tmp_path):
    one, ten = (tmp_path / str(samples) for samples in (1, 10))
    for folder, samples in ((one, 1), (ten, 10)):
        run(config("model=vae", "trainer.max_epochs=20", f"test_samples={samples}", folder=folder))
    # two seeds of the noise would say the same; here one draw against ten, of the same weights
    first, mean = read_image_scores(one)["distortion"], read_image_scores(ten)["distortion"]
    assert len(first) == len(mean)
    noise = (first - mean).std() / 9**0.5  # the standard deviation of a mean of ten: x_1 - mean has 9/10 of one's
    assert 0 < noise < mean.std() / 10**0.5
    ae = [tmp_path / f"ae{samples}" for samples in (1, 10)]
    for folder, samples in zip(ae, (1, 10), strict=True):
        run(config("model=ae", "trainer.max_epochs=1", f"test_samples={samples}", folder=folder))
    assert Results.read(ae[0]).metrics == Results.read(ae[1]).metrics  # a point code has no noise


@pytest.mark.slow
def test_validation_metrics_are_those_of_the_tested_weights_and_what_a_search_is_told(config, tmp_path):
    folder = tmp_path / "run"
    wild = ["model=ae", "optimizer=adam_constant", "optimizer.lr=0.03", "trainer.max_epochs=5"]
    told = run(config(*wild, "test_checkpoint=best", "optimized_metric=val/mse"))
    metrics = Results.read(folder).metrics
    history = pd.read_csv(folder / "history.csv")
    assert metrics["val/loss"] == pytest.approx(history["val/loss"].min(), rel=1e-5)
    assert told == metrics["val/mse"]


def test_a_search_by_a_metric_that_there_is_not_is_refused(config):
    with pytest.raises(ConfigError, match=r"^optimized_metric: got val/kl; allowed: val/loss \| val/distortion"):
        run(config("model=ae", "optimized_metric=val/kl"))

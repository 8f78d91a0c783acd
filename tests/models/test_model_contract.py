"""What every model has to keep to, whatever it is: those of conf/model/, and one that lies outside the package."""

from dataclasses import replace

import lightning as L
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import distributed, multiprocessing

from support.compositions import MODELS
from support.noise import noise_for
from support.paths import OUTSIDE, ROOT
from support.run_in_process import recorded_metrics
from vaesweep.errors import ConfigError
from vaesweep.evaluation.evaluate_command import evaluate
from vaesweep.models import VAE, Batch, Declaration, Spec
from vaesweep.records.evaluation_record import EvaluationRecord
from vaesweep.records.results import Results
from vaesweep.report.run_collection import read
from vaesweep.report.run_tables import table
from vaesweep.settings.instantiate import build
from vaesweep.stacking.lightning_module import LitStack
from vaesweep.stacking.member_callbacks import MemberCallbacks
from vaesweep.stacking.trainer_view import MemberTrainerView
from vaesweep.training.check_model_declaration import check_declaration
from vaesweep.training.lightning_module import LitAutoencoder
from vaesweep.training.optimizers import Adam

EVERY = [*MODELS, "info_vae"]
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
TRAINER = QUIET | {"accelerator": "cpu", "num_sanity_val_steps": 0, "inference_mode": False, "max_epochs": 1}


def overrides(name):
    """What selects the model; the one from outside by its class, on top of a model of ours."""
    if name in MODELS:
        return [f"model={name}"]
    return ["model=beta_vae", "~model.free_bits", "model._target_=my_models.InfoVAE", "+model.weight=10"]


@pytest.fixture(autouse=True)
def _outside(monkeypatch):
    monkeypatch.syspath_prepend(str(OUTSIDE))


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("latent_dim", [1, 5])
def test_every_declared_term_and_every_dimension_is_recorded(model, digits, name, latent_dim):
    made = model(*overrides(name), f"model.latent_dim={latent_dim}")
    declared = made.declaration
    assert all(declared.terms.values())
    assert Declaration.from_record(vars(declared)) == declared
    module = LitAutoencoder(made, Adam(1e-3, 0.0, (0.9, 0.999), "constant"), 0)
    trainer = L.Trainer(**TRAINER)
    trainer.fit(module, datamodule=digits)
    trainer.test(module, datamodule=digits, verbose=False)
    metrics = {key: value.item() for key, value in module.tracker.metrics.items()}
    for stage in ("val", "test"):
        assert {f"{stage}/{term}" for term in declared.terms} < metrics.keys()
    assert set(module.training_means()) >= {f"train/{term}" for term in ("loss", "distortion", *declared.terms)}
    assert len(module.tracker.dimensions) == latent_dim
    if declared.rate:
        rate = metrics[f"test/{declared.rate}"]
        assert rate == pytest.approx(sum(module.tracker.dimensions), rel=1e-4)
        assert metrics["test/nelbo"] == pytest.approx(metrics["test/distortion"] + rate, rel=1e-5)
    if declared.rate_weight:
        weight = getattr(made, declared.rate_weight).item()
        assert metrics["test/loss"] == pytest.approx(metrics["test/distortion"] + weight * rate, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_a_stack_trains_what_training_alone_does(model, digits, name):
    def modules():
        made = [model(*overrides(name)) for _ in range(2)]
        for parameter in made[1].parameters():
            parameter.data.mul_(1.1)
        return [LitAutoencoder(one, Adam(1e-3, 0.0, (0.9, 0.999), "constant"), k) for k, one in enumerate(made)]

    def train(module, *callbacks):
        trainer = L.Trainer(**TRAINER, precision="64-true", callbacks=list(callbacks))
        trainer.fit(module, datamodule=digits)

    alone = modules()
    for module in alone:
        train(module)
    views = [MemberTrainerView(module, [], None) for module in modules()]
    stack = LitStack(views)
    train(stack, MemberCallbacks(views))
    stack.sync_members()
    for view, one in zip(views, alone, strict=True):
        for mine, theirs in zip(view.module.model.parameters(), one.model.parameters(), strict=True):
            assert (mine - theirs).abs().max() < 1e-8
        assert view.module.tracker.metrics["val/loss"] == pytest.approx(
            one.tracker.metrics["val/loss"].item(), rel=1e-6
        )


@pytest.mark.parametrize("name", EVERY)
def test_scores_of_several_draws_are_the_means_of_one_draw_each(model, batch, name, monkeypatch):
    made = model(*overrides(name)).eval()
    noises = [noise_for(made, batch, seed) for seed in range(3)]
    alone = [made.score(batch, noise) for noise in noises]
    encoded, posterior = [], type(made).posterior
    monkeypatch.setattr(type(made), "posterior", lambda *given: encoded.append(1) or posterior(*given))
    together = made.score(batch, *noises)
    for part, parts in zip(together, zip(*alone, strict=True), strict=True):
        assert torch.equal(part, torch.stack(parts).mean(0))
    assert len(encoded) == (3 if name == "denoising" else 1)  # what it encodes depends on the noise


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_evaluation_and_report_agree_with_the_record(config, tmp_path, name):
    folder = tmp_path / "run"
    composed = config(*overrides(name), "trainer.max_epochs=1")
    metrics = recorded_metrics(composed)
    (folder / ".hydra").mkdir()
    OmegaConf.save(composed, folder / ".hydra" / "config.yaml")
    declared = Results.read(folder).declared
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        chosen = ["measures=[kl_decomposition,reconstruction]", "kl_decomposition.images=20"]
        asked = compose("evaluate", [f"run={folder}", *chosen])
    assert evaluate(asked) == []
    measured = EvaluationRecord.load_or_none(folder).flat()
    frame = table(read([folder]).runs)
    for penalty in declared.penalties:
        assert frame[penalty].item() == metrics[f"test/{penalty}"]
    assert frame.attrs["penalties"] == {penalty: declared.terms[penalty] for penalty in declared.penalties}
    assert measured["reconstruction/mse"] == pytest.approx(metrics["test/mse"], rel=1e-4) or name == "denoising"
    assert ("kl_decomposition/kl" in measured) == bool(declared.rate) == frame["rate"].notna().item()
    if declared.rate:
        assert measured["kl_decomposition/kl"] == pytest.approx(metrics[f"test/{declared.rate}"], rel=1e-4)
        assert frame["rate"].item() == metrics[f"test/{declared.rate}"]


def gradients(made, batch, noise):
    """Gradients of the loss on a batch, by parameter."""
    made.zero_grad()
    made.train()(batch, noise).loss.backward()
    return [parameter.grad.clone() for parameter in made.parameters()]


def share(rank, world, port, models, batch, queue):
    """One of `world` processes: the mean gradients over all of them, by the name of the model."""
    distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
    found = {}
    for name, made in models.items():
        noise = noise_for(made, batch)
        mine = Batch(*(values[rank::world] for values in batch))
        grads = gradients(made, mine, noise[rank::world])
        for grad in grads:
            distributed.all_reduce(grad)
        found[name] = [grad / world for grad in grads]
    if rank == 0:
        queue.put({name: [grad.numpy() for grad in grads] for name, grads in found.items()})
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one(model, batch, unused_port):
    models = {name: model(*overrides(name)).double() for name in MODELS}
    data = Batch(batch.image[:32].double(), batch.label[:32])
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=share, args=(r, 2, unused_port, models, data, queue)) for r in range(2)]
    for process in processes:
        process.start()
    found = queue.get(timeout=60)
    for process in processes:
        process.join()
    for name, made in models.items():
        for mine, theirs in zip(found[name], gradients(made, data, noise_for(made, data)), strict=True):
            assert torch.allclose(torch.from_numpy(mine), theirs, rtol=0, atol=1e-10), name


@pytest.mark.parametrize(
    ("bug", "line"),
    [
        (
            {"declaration": Declaration({"kl": "nats", "more": "nats"}, "kl")},
            r"whose penalties\(\) .* shape \[1\]; .*\[2\]",
        ),
        ({"declaration": Declaration({"kl": "nats"}, "rate")}, r"whose rate is rate; allowed: one of its terms: kl"),
        ({"declaration": Declaration({"mse": "nats"})}, r"one of whose terms is mse; allowed: another name"),
        ({"dimensions": lambda self, means, variance: means[:2]}, r"whose dimensions\(\) .* shape \[2\]; .*\[10\]"),
        ({"penalties": lambda self, means: (means, means.sum())}, r"whose penalties\(\) .* shape \[10\]; .*\[1\]"),
    ],
)
def test_a_model_that_does_not_keep_to_it_is_refused(model, batch, bug, line):
    made = model("model=vae")
    noise = noise_for(made, batch)
    check_declaration(made, made.score(batch, noise).means)
    made.__class__ = type("Buggy", (VAE,), bug)
    with pytest.raises(ConfigError, match=rf"model: got Buggy, {line}"):
        check_declaration(made, made.score(batch, noise).means)


@pytest.mark.slow
def test_the_declaration_follows_the_settings(model):
    plain = model("model=beta_vae", "model.beta=4").declaration
    assert (plain.rate, plain.rate_weight, plain.rate_target) == ("kl", "beta", None)
    assert model("model=vae", "model.free_bits=0.1").declaration.rate_weight is None
    capacity = model("model=vae", "model/schedule=capacity", "model.schedule.C=7").declaration
    assert (capacity.rate_weight, capacity.rate_target) == (None, 7.0)
    target = model("model=vae", "model/schedule=target", "model.schedule.C=7").declaration
    assert (target.rate_weight, target.rate_target, target.penalties) == (None, 7.0, ["kl_weight"])
    assert model("model=cvae").declaration == replace(model("model=vae").declaration, conditional=True)
    assert model("model=beta_tcvae").declaration.rate_weight is None
    same = model("model=beta_tcvae", "model.alpha=2", "model.beta=2", "model.gamma=2").declaration
    assert same.rate_weight == "beta"
    assert not model("model=ae").declaration.terms
    assert model("model=sparse").declaration.sparse


def test_a_built_model_knows_its_training_images(config):
    composed = config("model=beta_tcvae")
    made = build(composed, "model", network=build(composed, "network"), spec=Spec((1, 8, 8), 10, 1294))
    assert made.images == 1294

"""The notebook API: a run and a study from their folders, against the model called by hand."""

import math
import re
import subprocess
import sys

import altair as alt
import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

import vaesweep
from support.compositions import compose_run
from support.paths import ROOT
from vaesweep.errors import ConfigError
from vaesweep.evaluation import NLL, CodeJacobian, NoiseRobustness, Probe, Retrieval
from vaesweep.metrics.importance_weighted_bound import log_weights
from vaesweep.models import Batch
from vaesweep.report.diagnostics import diagnostics
from vaesweep.seeded_generator import generator
from vaesweep.training.lightning_module import LitAutoencoder
from vaesweep.training.run_and_record import run as train

RUNS = {
    "ae": ["model=ae", "model/likelihood=gaussian"],
    "vae": ["model=vae"],
    "vae_beta4": ["model=beta_vae", "model.beta=4"],
    "cvae": ["model=cvae"],
    "multi_rate": ["model=multi_rate"],
}


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """The folder of a study of five runs of one epoch."""
    home = tmp_path_factory.mktemp("api") / "study"
    for name, overrides in RUNS.items():
        folder = home / name
        (folder / ".hydra").mkdir(parents=True)
        given = ["data=digits", "trainer=cpu", "logger=csv", "callbacks=no_figures"]
        small = ["trainer.max_epochs=1", "~callbacks.progress", "+trainer.enable_progress_bar=false"]
        network = ["network.hidden=[16]", "model.latent_dim=3"]
        composed = compose_run(*given, *small, *network, *overrides, folder=folder)
        OmegaConf.save(composed, folder / ".hydra" / "config.yaml")
        train(composed)
    return home


@pytest.fixture(scope="session")
def runs(study):
    """The five runs, loaded once, by name."""
    return {name: vaesweep.load(study / name) for name in RUNS}


def zeros(count):
    return torch.zeros(count, 1, dtype=torch.int64)


@pytest.mark.slow
def test_a_loaded_run_has_what_it_was_trained_with(study, runs):
    run = vaesweep.load(str(study / "vae"), checkpoint="last", device="auto")
    weights = torch.load(study / "vae" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    for name, value in run.model.state_dict().items():
        if name != "progress":
            assert torch.equal(value.cpu(), weights[f"model.{name}"])
    assert not run.model.training
    assert run.config.model.latent_dim == run.model.latent_dim == 3
    assert run.results.status == "completed"
    assert run.data.spec.shape == (1, 8, 8)
    assert repr(runs["vae"]) == f"TrainedRun(vae on digits, last checkpoint, {study / 'vae'})"
    assert set(NLL(k=2)(runs["vae"].context).values) >= {"nll", "nelbo"}


@pytest.mark.parametrize("name", ["ae", "vae", "cvae"])
def test_codes_and_images_are_those_of_the_model(runs, name):
    run = runs[name]
    x, y = run.data.examples(5)
    label = y if name == "cvae" else zeros(5)
    with torch.no_grad():
        mean = run.model.posterior(x, label).mean
        image = run.model.generate(mean, label)
    z = run.encode(x, y)
    assert torch.equal(z, mean)
    assert z.shape == (5, 3)
    assert torch.equal(run.decode(z, y), image)
    assert torch.equal(run.reconstruct(x, y), image)
    assert image.shape == (5, 1, 8, 8)
    assert not run.reconstruct(x, y).requires_grad
    if name != "cvae":  # no label where none is needed
        assert torch.equal(run.decode(run.encode(x)), image)
        assert torch.equal(run.reconstruct(x), image)


def test_images_may_be_tensors_or_arrays_with_or_without_a_batch(runs):
    run = runs["vae"]
    x, _ = run.data.examples(3)
    z = run.encode(x)
    bytes_ = (x * 255).round().to(torch.uint8)
    read_only = x.numpy().astype(np.float64)
    read_only.setflags(write=False)
    for images in (x.double(), read_only, x.numpy()[:, :, ::-1][:, :, ::-1], x.tolist()):
        torch.testing.assert_close(run.encode(images), z)
    for images in (bytes_, bytes_.numpy()):
        torch.testing.assert_close(run.encode(images), run.encode(bytes_.float() / 255))
    for one in (x[0], x[0, 0], x[0].numpy(), x[:1]):
        torch.testing.assert_close(run.encode(one), z[:1])
        assert run.reconstruct(one).shape == (1, 1, 8, 8)
    torch.testing.assert_close(run.encode(x[:1] > 0.5), run.encode((x[:1] > 0.5).float()))
    for codes in (z[0], z[0].numpy(), z[:1].double(), z[0].tolist()):
        torch.testing.assert_close(run.decode(codes), run.decode(z)[:1])
    gaussian = runs["ae"]  # its images may stray out of [0, 1], and can be encoded again
    assert gaussian.encode(gaussian.decode(10 * torch.ones(3))).shape == (1, 3)


def test_samples_decode_draws_of_the_prior(runs):
    run = runs["vae"]
    images = run.sample(16)
    assert images.shape == (16, 1, 8, 8)
    assert torch.equal(images, run.sample(16))
    assert not torch.equal(images, run.sample(16, seed=1))
    z = torch.randn(16, 3, generator=generator(0, "evaluation", "samples"))
    assert torch.equal(images, run.decode(z))


def test_an_interpolation_is_a_line_of_codes_between_two_images(runs):
    run = runs["vae"]
    x, _ = run.data.examples(2)
    path = run.interpolate(x[0], x[1], 5)
    assert path.shape == (5, 1, 8, 8)
    start, end = run.encode(x)
    by_hand = torch.stack([start + share * (end - start) for share in (0.0, 0.25, 0.5, 0.75, 1.0)])
    torch.testing.assert_close(path, run.decode(by_hand))
    torch.testing.assert_close(path[[0, -1]], run.reconstruct(x))
    assert runs["ae"].interpolate(x[:1], x[1:], 2).shape == (2, 1, 8, 8)


def test_the_likelihood_is_the_importance_weighted_bound(runs, monkeypatch):
    run = runs["vae"]
    x, _ = run.data.examples(4)
    found = run.nll(x, k=7)
    assert found.shape == (4,)
    assert not found.requires_grad
    batch = Batch(x, zeros(4))
    noise = torch.randn(7, 4, 3, generator=generator(0, "evaluation", "nll", 0))
    with torch.no_grad():
        weights = log_weights(run.model, batch, run.model.posterior(*batch), noise)
    torch.testing.assert_close(found, -weights.exp().mean(0).log())
    torch.testing.assert_close(found, math.log(7) - weights.logsumexp(0))
    assert torch.equal(found, run.nll(x, k=7))
    assert not torch.equal(found, run.nll(x, k=7, seed=1))
    # a part of the samples at a time: other draws, the same bound
    whole = run.nll(x, k=4000)
    monkeypatch.setattr("vaesweep.metrics.importance_weighted_bound.FLOATS", 999 * x.numel())
    torch.testing.assert_close(run.nll(x, k=4000), whole, atol=0.2, rtol=0)
    # k = 1 is the negative ELBO in the mean over draws, which is larger
    nelbo = torch.stack([run.nll(x, k=1, seed=seed) for seed in range(200)]).mean()
    assert whole.mean() < nelbo < whole.mean() + 5


def test_a_conditional_model_is_told_the_class(runs):
    run = runs["cvae"]
    x, y = run.data.examples(6)
    z = run.encode(x, y)
    for label in (y[:, 0], y[:, 0].tolist(), y[:, 0].numpy(), y[:, 0].to(torch.uint8)):
        assert torch.equal(run.encode(x, label), z)
    threes = run.encode(x, 3)
    assert torch.equal(threes, run.encode(x, np.int64(3)))
    assert torch.equal(threes, run.encode(x, [3] * 6))
    assert not torch.equal(threes, run.encode(x, 4))
    assert run.sample(4, label=[0, 1, 2, 3]).shape == (4, 1, 8, 8)
    torch.testing.assert_close(
        run.interpolate(x[0], x[1], 3, label=3)[[0, -1]], run.reconstruct(x[:2], 3), atol=1e-5, rtol=0
    )
    batch = Batch(x, y)
    noise = torch.randn(16, 6, 3, generator=generator(0, "evaluation", "nll", 0))
    with torch.no_grad():
        weights = log_weights(run.model, batch, run.model.posterior(*batch), noise)
    torch.testing.assert_close(run.nll(x, 16, y), math.log(16) - weights.logsumexp(0))


def test_a_run_for_a_range_of_betas_answers_at_another(runs):
    run = runs["multi_rate"]
    x, _ = run.data.examples(5)
    before = run.encode(x), run.reconstruct(x), run.nll(x, k=5)
    other = run.at(beta=2)
    for one, of_run in zip((other.encode(x), other.reconstruct(x), other.nll(x, k=5)), before, strict=True):
        assert one.shape == of_run.shape
        assert (one - of_run).abs().max() > 1e-3
    # the run is what it was, and so is the model at its beta
    for back in (run, other.at(beta=1)):
        assert back.model.beta == 1
        for one, of_run in zip((back.encode(x), back.reconstruct(x), back.nll(x, k=5)), before, strict=True):
            assert torch.equal(one, of_run)
    assert other.model.beta == 2
    with torch.no_grad():
        by_hand = other.model.posterior(x, zeros(5), other.model.modulation(torch.full((5, 1), math.log(2)))).mean
    torch.testing.assert_close(other.encode(x), by_hand)


def test_a_run_answers_at_another_beta_from_any_folder(study, tmp_path, monkeypatch):
    monkeypatch.chdir(study.parent)
    run = vaesweep.load("study/multi_rate")
    monkeypatch.chdir(tmp_path)
    assert run.at(beta=2).model.beta == 2
    assert run.at(beta=2).config == run.config


@pytest.mark.slow
@pytest.mark.parametrize(
    "measure",
    [NLL(10), Probe(500, 5), Retrieval(5, 500), CodeJacobian(50), NoiseRobustness(["gaussian"], [0, 0.5], 50)],
)
def test_a_measure_takes_the_context_of_a_run_and_keeps_no_gradients(runs, measure):
    assert measure(runs["vae"].context).values or measure(runs["vae"].context).series
    assert not any(parameter.requires_grad for parameter in runs["vae"].model.parameters())


def test_numbers_may_be_those_of_numpy(runs):
    run = runs["multi_rate"]
    x, _ = run.data.examples(np.int64(2))
    assert torch.equal(run.at(np.float32(2)).encode(x), run.at(2).encode(x))
    assert torch.equal(run.sample(np.int64(3), seed=np.int64(4)), run.sample(3, seed=4))
    assert torch.equal(run.nll(x, k=np.int64(5)), run.nll(x, k=5))
    assert torch.equal(run.interpolate(x[0], x[1], np.uint8(4)), run.interpolate(x[0], x[1], 4))
    with pytest.raises(ConfigError, match="k: got True; allowed: a whole number"):
        run.nll(x, k=np.bool_(True))


@pytest.mark.parametrize(
    ("name", "beta", "line"),
    [
        ("multi_rate", 10.1, "beta: got 10.1; allowed: a number from beta_min=0.1 to beta_max=10"),
        ("multi_rate", "2", "beta: got 2; allowed: a number"),
        ("vae_beta4", 2, "beta: got 2; allowed: nothing, as this model was trained for one weight of its rate"),
        ("ae", 2, "beta: got 2; allowed: nothing, as this model was trained for one weight of its rate"),
    ],
)
def test_a_beta_that_the_run_was_not_trained_for_is_refused(runs, name, beta, line):
    with pytest.raises(ConfigError, match=rf"^{re.escape(line)}$"):
        runs[name].at(beta)


SHAPES = r"\[B, 1, 8, 8\], \[1, 8, 8\] or \[8, 8\]"
CLASS = r"a class from 0 to 9, or one for each of 2 images: the model is conditional"
X = torch.zeros(2, 1, 8, 8)


@pytest.mark.parametrize(
    ("name", "call", "line"),
    [
        ("vae", lambda run: run.encode(torch.zeros(2, 3, 8, 8)), rf"x: got \[2, 3, 8, 8\]; allowed: {SHAPES}"),
        ("vae", lambda run: run.reconstruct(np.zeros((28, 28))), rf"x: got \[28, 28\]; allowed: {SHAPES}"),
        ("vae", lambda run: run.nll(X[None]), rf"x: got \[1, 2, 1, 8, 8\]; allowed: {SHAPES}"),
        ("vae", lambda run: run.nll(X[:0]), rf"x: got \[0, 1, 8, 8\]; allowed: {SHAPES}"),
        ("vae", lambda run: run.encode(0.5), rf"x: got \[\]; allowed: {SHAPES}"),
        ("vae", lambda run: run.encode("x.png"), r"x: got str x.png; allowed: a tensor or an array of numbers"),
        ("vae", lambda run: run.encode([[0], [0, 1]]), r"x: got list .*; allowed: a tensor or an array of numbers"),
        ("vae", lambda run: run.encode(X.long()), r"x: got values of type torch.int64; allowed: floats in \[0, 1\].*"),
        ("vae", lambda run: run.encode(X + 16), r"likelihood: got bernoulli with data in \[16, 16\]; .*"),
        ("vae", lambda run: run.decode(torch.zeros(2, 4)), r"z: got \[2, 4\]; allowed: \[B, 3\] or \[3\]"),
        ("vae", lambda run: run.interpolate(X, X[:1], 3), r"a: got 2 images; allowed: one image"),
        ("vae", lambda run: run.interpolate(X[0], X[0, 0, :4], 3), rf"b: got \[4, 8\]; allowed: {SHAPES}"),
        ("vae", lambda run: run.interpolate(X[0], X[1], 1), r"steps: got 1; allowed: a whole number of at least 2"),
        ("vae", lambda run: run.data.examples(-1), r"count: got -1; allowed: a whole number of at least 1"),
        ("vae", lambda run: run.data.examples(2.5), r"count: got 2.5; allowed: a whole number of at least 1"),
        ("vae", lambda run: run.sample(0), r"n: got 0; allowed: a whole number of at least 1"),
        ("vae", lambda run: run.sample(2, seed=-1), r"seed: got -1; allowed: a whole number of at least 0"),
        ("vae", lambda run: run.nll(X, k=0), r"k: got 0; allowed: a whole number of at least 1"),
        ("ae", lambda run: run.sample(2), r"model: got ae, a point code without a prior; allowed: a model with a rate"),
        ("ae", lambda run: run.nll(X), r"model: got ae, a point code without a prior; allowed: a model with a rate"),
        ("cvae", lambda run: run.encode(X), rf"label: got nothing; allowed: {CLASS}"),
        ("cvae", lambda run: run.decode(torch.zeros(2, 3)), rf"label: got nothing; allowed: {CLASS}"),
        ("cvae", lambda run: run.sample(2), rf"label: got nothing; allowed: {CLASS}"),
        ("cvae", lambda run: run.nll(X, label=[1, 2, 3]), rf"label: got shape \[3\]; allowed: {CLASS}"),
        ("cvae", lambda run: run.nll(X, label=[1, 10]), rf"label: got 10; allowed: {CLASS}"),
        ("cvae", lambda run: run.encode(X, -1), rf"label: got -1; allowed: {CLASS}"),
        ("cvae", lambda run: run.encode(X, 1.0), rf"label: got values of type torch.float64; allowed: {CLASS}"),
        ("cvae", lambda run: run.encode(X, "three"), r"label: got str three; allowed: .*"),
    ],
)
def test_what_cannot_be_computed_is_said_in_one_line(runs, name, call, line):
    with pytest.raises(ConfigError) as error:
        call(runs[name])
    assert "\n" not in str(error.value)
    assert re.fullmatch(line, str(error.value))


def test_errors_of_loading_are_those_of_an_evaluation(study, tmp_path):
    for folder, settings, line in (
        (tmp_path / "none", {}, "run: got .*none, which is no run; allowed: folders of completed runs"),
        (study / "vae", {"checkpoint": "first"}, "checkpoint: got .*first.ckpt, which is not there; "),
        (study / "vae", {"root": "elsewhere"}, "root: got elsewhere; allowed: nothing"),
        (study / "vae", {"device": "tpu"}, "device: got tpu; allowed: auto | cpu"),
    ):
        with pytest.raises(ConfigError, match=line) as error:
            vaesweep.load(folder, **settings)
        assert "\n" not in str(error.value)


def test_a_checkpoint_alone_is_no_run(study):
    with pytest.raises(TypeError, match=r"^load_from_checkpoint needs the run's configuration: call vaesweep.load"):
        LitAutoencoder.load_from_checkpoint(study / "vae" / "checkpoints" / "last.ckpt", map_location="cpu")


def test_importing_the_package_is_light():
    heavy = ["torch", "lightning", "pandas", "altair", "omegaconf", "hydra", "numpy"]
    code = f"import sys, vaesweep; vaesweep.load; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "src", capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_study_is_a_frame_and_a_plane(study):
    found = vaesweep.load_study(study / "vae", str(study / "vae_beta4"))
    frame = found.frame()
    assert found.warnings == diagnostics(frame, found.runs)  # as on the page
    assert [run.folder.name for run in found.runs] == ["vae", "vae_beta4"]
    assert frame.run.tolist() == ["vae", "vae_beta4"]
    assert frame.beta.tolist() == [1, 4]
    assert frame.rate.tolist() == [run.results.metrics["test/kl"] for run in found.runs]
    assert found.means().n.tolist() == [1, 1]
    chart = found.plane()
    assert isinstance(chart, alt.TopLevelMixin)
    points = chart.to_dict()["datasets"].values()
    assert any({"vae", "vae_beta4"} == {row.get("run") for row in rows} for rows in points)


def test_a_study_holds_every_run_below_its_folder(study, tmp_path):
    found = vaesweep.load_study(study)
    assert sorted(found.frame().model) == ["ae", "beta_vae", "cvae", "multi_rate", "vae"]
    assert repr(found) == f"Study(study: 5 runs, {len(found.warnings)} warnings)"
    assert len(vaesweep.load_study(study, f"{study}/", study / ".." / study.name).runs) == 5
    assert vaesweep.load_study(study, tmp_path / "none").warnings[0] == f"{tmp_path / 'none'}: no such folder"


def test_a_study_without_a_rate_or_a_run_is_told(study, tmp_path):
    with pytest.raises(ConfigError, match="study: got no completed run with a rate; allowed: "):
        vaesweep.load_study(study / "ae").plane()
    with pytest.raises(ConfigError, match=r"study: got .*none: no such folder; allowed: folders of studies or of runs"):
        vaesweep.load_study(tmp_path / "none")
    with pytest.raises(ConfigError, match="study: got nothing; allowed: folders of studies or of runs"):
        vaesweep.load_study()

"""Every measure against a member, or codes, for which its answer is known."""

import math

import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from torchmetrics.functional.image import structural_similarity_index_measure

from support.datasets import write_photos
from vaesweep import evaluation as measures
from vaesweep import figures
from vaesweep.data import Digits, Folder, ImageDataModule, Shapes
from vaesweep.errors import ConfigError
from vaesweep.evaluation.context import Codes
from vaesweep.evaluation.measure_interface import NotApplicable
from vaesweep.evaluation.measures.anomaly import scores
from vaesweep.evaluation.measures.interpolation import image_pairs, lerp, slerp
from vaesweep.metrics import importance_weighted_bound as bound
from vaesweep.models import Batch
from vaesweep.models.distributions import DiagonalGaussian


@pytest.fixture(autouse=True)
def _no_grad():
    with torch.no_grad():
        yield


@pytest.fixture
def multi_rate(context):
    """An untrained model for betas from 0.1 to 10 that is set to 3, whose rate depends on beta already."""
    made = context("model=multi_rate", "model.beta=3", name="multi_rate")
    made.model.eval()  # in training each image has a beta of its own
    return made


def scores_at(beta, made, samples=3):
    """Distortion and rate [N] of all test images at a beta, by the model's parts and not its scores."""
    made.model.set_rate_weight(beta)
    found = []
    for i, batch in enumerate(made.batches("test")):
        source, draws = made.draw("rate_distortion_curve", i), []
        for _ in range(samples):
            q = made.model.posterior(*batch)
            noise = torch.randn(len(batch.image), made.model.latent_dim + 1, generator=source)
            eta = made.model.decode(q.mean + q.sigma * noise[:, :-1], batch.label)
            reference = torch.distributions.Normal(q.mean, q.sigma)
            kl = torch.distributions.kl_divergence(reference, torch.distributions.Normal(0.0, 1.0)).sum(1)
            draws.append(torch.stack([made.model.likelihood.nll(eta, batch.image), kl]))
        found.append(torch.stack(draws).mean(0))
    return torch.cat(found, dim=1).double()


@pytest.mark.slow
def test_a_curve_is_the_scores_of_the_model_at_each_beta(multi_rate):
    found = measures.RateDistortionCurve(weights=4, samples=3)(multi_rate)
    assert multi_rate.model.beta == 3  # as it was
    betas = found.series["beta"]
    assert betas == pytest.approx([0.1, 0.1 * 100 ** (1 / 3), 0.1 * 100 ** (2 / 3), 10.0])
    nelbo = []
    for i, beta in enumerate(betas):
        distortion, rate = scores_at(beta, multi_rate)
        assert found.series["rate"][i] == pytest.approx(rate.mean().item(), rel=1e-5)
        assert found.series["distortion"][i] == pytest.approx(distortion.mean().item(), rel=1e-5)
        error = (distortion + beta * rate).std() / len(rate) ** 0.5
        assert found.series["error"][i] == pytest.approx(error.item(), rel=1e-5)
        nelbo.append((distortion + rate).mean().item())
    assert found.series["rate"][0] > found.series["rate"][-1] + 0.1  # the betas differ
    assert found.values["lowest_nelbo"].value == pytest.approx(min(nelbo), rel=1e-5)
    assert found.values["beta_of_the_lowest_nelbo"].value == betas[nelbo.index(min(nelbo))]


def test_a_model_is_left_at_its_beta_though_the_measure_fails(multi_rate, monkeypatch):
    monkeypatch.setattr(type(multi_rate.model), "score", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        measures.RateDistortionCurve(weights=2, samples=1)(multi_rate)
    assert multi_rate.model.beta == 3


@pytest.mark.parametrize("overrides", ["model=beta_vae", "model=ae", "model=beta_tcvae"])
def test_a_model_for_one_beta_has_no_curve(context, overrides):
    with pytest.raises(NotApplicable, match="trained for one weight of its rate"):
        measures.RateDistortionCurve(weights=3, samples=1)(context(overrides))


@pytest.mark.parametrize(("key", "given"), [("weights", 1), ("samples", 0)])
def test_a_curve_has_two_weights_or_more_and_a_draw(key, given):
    with pytest.raises(ConfigError, match=f"{key}: got {given}"):
        measures.RateDistortionCurve(**{"weights": 2, "samples": 1, key: given})


@pytest.fixture
def pca(context, digits):
    """A linear autoencoder that is PCA with `size` components of all training images, and the PCA."""

    def make(size, *overrides):
        made = context(
            *(overrides or ("model=ae",)), "network=linear", "model/likelihood=gaussian", f"model.latent_dim={size}"
        )
        batches = digits.batches("train")
        fitted = PCA(size).fit(torch.cat([batch.image for batch in batches]).flatten(1).numpy())
        axes, mean = torch.from_numpy(fitted.components_), torch.from_numpy(fitted.mean_)
        encoder, decoder = made.model.encoder.body[0], made.model.decoder[0]
        encoder.weight[:size], encoder.bias[:size] = axes, -axes @ mean
        decoder.weight.copy_(axes.T)
        decoder.bias.copy_(mean)
        return made

    return make


def numbers(measure, context):
    return {name: value.value for name, value in measure(context).values.items()}


def coded(context, codes):
    """`context` with the codes that `codes` makes of labels, for every pass over a split."""
    for split in ("train", "test"):
        label = torch.cat([batch.label for batch in context.batches(split)])
        for most in (None, 10_000):
            context.cache[split, most] = Codes(codes(label[:, 0]).float(), label)
    return context


def one_hot(label):
    return torch.nn.functional.one_hot(label, 10)


def test_as_many_samples_as_were_asked_for(context, monkeypatch):
    drawn = []
    monkeypatch.setattr(bound, "FLOATS", 64 * 64 * 7)
    original = bound.log_weights

    def record(model, batch, posterior, noise):
        drawn.append(noise.shape[:2])
        return original(model, batch, posterior, noise)

    monkeypatch.setattr(bound, "log_weights", record)
    made = context("model=vae")
    found = numbers(measures.NLL(k=50), made)
    batches = math.ceil(len(made.part("test").indices) / 64)
    assert sum(samples for samples, _ in drawn) == 50 * batches
    assert max(samples * images for samples, images in drawn) == 7 * 64
    assert found["gap"] == pytest.approx(found["nelbo"] - found["nll"])
    assert found["nll"] < found["nelbo"]
    assert found["bits_per_dim"] == pytest.approx(found["nll"] / 64 / math.log(2))
    assert numbers(measures.NLL(k=1), made)["gap"] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("k", [0, -1, 2.5, "many", True])
def test_k_is_a_whole_number(k):
    with pytest.raises(ConfigError, match=r"^k: got .*; allowed: a whole number of at least 1"):
        measures.NLL(k)


@pytest.mark.parametrize(
    "measure",
    [
        measures.NLL(5),
        measures.KLDecomposition(50),
        measures.PosteriorSpread(),
        measures.Samples(),
        measures.LatentManifold(4, [0.1, 0.9]),
    ],
)
def test_a_point_code_has_no_rate_no_density_no_prior(context, measure):
    with pytest.raises(NotApplicable, match="a point code has no"):
        measure(context("model=ae"))


@pytest.mark.slow
@torch.no_grad()
def test_a_loose_bound_is_said_to_be_loose(context):
    """A posterior at the prior: exact for a decoder that ignores z, poor for one that does not."""
    made = context("model=vae", "model/likelihood=gaussian", "model.likelihood.sigma=0.1")
    made.model.encoder.body[-1].weight.zero_()
    made.model.encoder.body[-1].bias.zero_()
    loose = measures.NLL(k=20)(made)
    assert loose.values["looseness"].value > 0.1
    assert loose.values["nll_spread"].value > 0.01
    assert loose.remarks["nll"].startswith("the last doubling of k still lowered it by more than 0.1 nats")
    next(made.model.decoder.parameters()).zero_()
    tight = measures.NLL(k=20)(made)
    assert tight.values["looseness"].value == pytest.approx(0, abs=1e-4)
    assert tight.values["nll_spread"].value == pytest.approx(0, abs=1e-4)
    assert tight.remarks == {}


@torch.no_grad()
def test_a_part_of_the_rate_that_the_images_do_not_resolve_is_an_interval(context):
    made = context("model=vae")
    made.model.encoder.body[-1].weight *= 60  # images that do not overlap in the code
    outcome, count = measures.KLDecomposition(images=200)(made), len(made.posterior("test").mean)
    found = {name: value.value for name, value in outcome.values.items()}
    assert found["mutual_information_lower"] <= math.log(count) + 1e-6
    assert found["mutual_information_upper"] - found["mutual_information_lower"] > 0.1
    assert "mutual_information" not in found
    assert outcome.remarks["mutual_information"] == f"{count} test images leave its two bounds more than 0.1 nats apart"


@pytest.mark.slow
def test_rate_and_posterior_are_those_of_the_test_split(context, digits):
    made = context("model=vae")
    posterior = made.posterior("test")
    assert len(posterior.mean) == len(digits.splits["test"].indices)
    outcome = measures.KLDecomposition(images=200)(made)
    found = {name: value.value for name, value in outcome.values.items()}
    assert found["kl"] == pytest.approx(posterior.kl().sum(1).mean().item(), rel=1e-5)
    assert sum(outcome.series["kl_per_dimension"]) == pytest.approx(found["kl"], rel=1e-5)
    assert found["mutual_information"] + found["marginal_kl"] == pytest.approx(found["kl"], abs=0.1)
    assert numbers(measures.PosteriorSpread(), made)["width"] == pytest.approx(posterior.sigma.mean().item())


@pytest.mark.slow
def test_reconstruction_is_the_mean_over_images(pca):
    made = pca(10)
    image = torch.cat([batch.image for batch in made.batches("test")])
    error = (made.reconstruct(image, None) - image).square().flatten(1).mean(1)
    outcome = measures.Reconstruction()(made)
    assert outcome.values["mse"].value == pytest.approx(error.mean().item(), rel=1e-5)
    assert outcome.values["psnr"].value == pytest.approx(-10 * error.mean().log10().item(), rel=1e-5)
    assert "11 x 11" in outcome.absent["ssim"]


def test_a_linear_autoencoder_explains_what_pca_does(pca):
    found = numbers(measures.ExplainedVariance(images=10_000), pca(10))
    assert found["explained"] == pytest.approx(found["pca"], abs=1e-4)
    assert 0.6 < found["pca"] < 0.9


@pytest.mark.parametrize(("codes", "right"), [(one_hot, 1.0), (torch.zeros_like, None)])
def test_probe_and_retrieval_know_what_the_codes_know(context, codes, right):
    made = coded(context("model=ae"), lambda label: codes(label).view(len(label), -1))
    probe = numbers(measures.Probe(images=10_000, neighbours=5), made)
    retrieval = numbers(measures.Retrieval(k=10, images=10_000), made)["precision_at_10"]
    if right:
        assert (probe["linear"], probe["nearest_neighbours"], retrieval) == (1, 1, 1)
    else:
        assert probe["linear"] <= probe["chance"] < 0.2
        assert retrieval < 0.2


def test_an_identity_removes_no_noise(pca):
    made = measures.NoiseRobustness(["gaussian", "masking", "salt_pepper"], [0.1, 0.3], 100)
    curves = [made.curve(pca(64), corruption) for corruption in made.corruptions]
    for ours, untouched in curves:
        assert ours == pytest.approx(untouched, abs=0.01)
        assert ours[0] > ours[1] + 3
    gaussian = curves[0][0]
    assert gaussian[0] == pytest.approx(20, abs=0.1)  # -10 log10 of 0.1^2


def test_a_projection_removes_noise(pca):
    ours, untouched = measures.NoiseRobustness(["gaussian"], [0.4], 100).curve(pca(20), "gaussian")
    assert ours[0] > untouched[0] + 3


@pytest.mark.slow
def test_inpainting_finds_the_most_probable_code(pca):
    """For a linear Gaussian model it is known: (W' M W / s^2 + I)^-1 W' M (x - b) / s^2."""
    made = pca(5, "model=vae", "model.likelihood.sigma=0.2")
    measure = measures.Inpainting(share=0.5, images=30, steps=600)
    batch = made.examples(30)
    hidden = measure.square_mask(batch.image)
    assert hidden.sum() == 16
    assert hidden[0, 0, 2:6, 2:6].all()
    masked = batch.image.masked_fill(hidden, 0)
    found = measure.optimise_codes(made, batch, masked, hidden)
    weight, bias = made.model.decoder[0].weight, made.model.decoder[0].bias
    seen = (~hidden).flatten().float()
    precision = weight.T @ (seen[:, None] * weight) / 0.04 + torch.eye(5)
    best = torch.linalg.solve(precision, weight.T @ (seen * (batch.image.flatten(1) - bias)).T / 0.04).T
    assert torch.allclose(found, best, atol=0.01)
    values = numbers(measure, made)
    assert values["optimised"] > values["decoded"]
    black = -10 * batch.image[hidden.expand_as(batch.image)].square().mean().log10()
    assert numbers(measures.Inpainting(0.5, 30, 1), pca(64))["decoded"] == pytest.approx(black.item(), abs=0.01)


LINEAR = ("network=linear", "model/likelihood=gaussian", "model.likelihood.sigma=0.2", "model.latent_dim=4")


@pytest.fixture
def linear(context):
    """A linear VAE at its optimum for beta = 2, by the eigenvectors of the training images."""
    made = context("model=beta_vae", "model.beta=2", *LINEAR)
    made.results.rate_weight = 2.0
    images = torch.cat([batch.image for batch in made.batches("train")]).flatten(1).double()
    mean = images.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(images.T, correction=0))
    values, axes = values.flip(0)[:4], vectors.flip(1)[:, :4]
    variance = 2 * 0.04 / values
    gain = ((1 - variance) / values).sqrt()
    encoder, decoder = made.model.encoder.body[0], made.model.decoder[0]
    encoder.weight.zero_()
    encoder.weight[:4] = gain[:, None] * axes.T
    encoder.bias.copy_(torch.cat([-gain * (axes.T @ mean), variance.log()]))
    decoder.weight.copy_(axes * gain * values)
    decoder.bias.copy_(mean)
    return made


@pytest.mark.slow
def test_a_linear_vae_at_its_optimum_has_no_excess(linear):
    result = measures.LinearOptimum()(linear)
    found = {name: value.value for name, value in result.values.items()}
    assert found["excess"] == pytest.approx(0, abs=1e-3)
    assert found["rate"] == pytest.approx(found["optimal_rate"], abs=1e-3)
    assert found["distortion"] == pytest.approx(found["optimal_distortion"], abs=1e-3)
    at_two = result.series["beta"].index(2.0)
    assert result.series["rate"][at_two] == pytest.approx(found["optimal_rate"])
    linear.model.encoder.body[0].bias += 0.1
    assert numbers(measures.LinearOptimum(), linear)["excess"] > 0.01


def test_the_terms_of_a_linear_vae_are_those_of_many_draws(linear):
    linear.model.encoder.body[0].bias += 0.1
    found, torch_terms = numbers(measures.LinearOptimum(), linear), []
    for batch in linear.batches("train"):
        big = Batch(batch.image.repeat(50, 1, 1, 1), batch.label.repeat(50, 1))
        terms = linear.model(big, torch.randn(len(big.image), 4))
        torch_terms.append(len(batch.image) * torch.stack([terms.distortion, terms.penalties.sum()]))
    distortion, rate = (sum(torch_terms) / len(linear.part("train").indices)).tolist()
    assert found["rate"] == pytest.approx(rate, rel=1e-4)
    assert found["distortion"] == pytest.approx(distortion, abs=0.05)


@pytest.mark.parametrize(
    ("overrides", "weight", "reason"),
    [
        (["model=ae"], None, "distortion . beta . rate"),
        (["model=vae"], 1.0, "linear network"),
        (["model=cvae", "network=linear", "model/likelihood=gaussian"], 1.0, "linear network"),
        (["model=vae", "network=linear"], 1.0, "Gaussian"),
        (["model=beta_vae", *LINEAR, "model.likelihood.learn=true"], 4.0, "beta = 1"),
    ],
)
def test_the_optimum_of_others_is_not_known(context, overrides, weight, reason):
    made = context(*overrides)
    made.results.rate_weight = weight
    with pytest.raises(measures.NotApplicable, match=reason):
        measures.LinearOptimum()(made)


def test_anomalies_are_found_by_the_scores_that_are_drawn(context):
    left_out = Digits(
        batch_size=64, val_fraction=0.1, test_fraction=0.2, binarize="none", on_device=False, seed=0, exclude_label=1
    )
    left_out.setup()
    made = context("model=vae", data=left_out)
    outcome = measures.Anomaly(left_out, 1000)(made)
    assert "the same data" in outcome.absent["other_data"]
    test, excluded = (list(made.batches(split)) for split in ("test", "excluded"))
    assert all((batch.label[:, 0] == 1).all() for batch in excluded)
    mse = [
        (made.reconstruct(*batch) - batch.image).square().flatten(1).mean(1)
        for group in (test, excluded)
        for batch in group
    ]
    target = [0] * left_out.splits["test"].indices.numel() + [1] * left_out.splits["excluded"].indices.numel()
    assert outcome.values["excluded_class_by_mse"].value == pytest.approx(
        roc_auc_score(target, torch.cat(mse)), abs=1e-6
    )
    assert set(outcome.values) == {"excluded_class_by_mse", "excluded_class_by_nelbo"}


@pytest.mark.slow
def test_other_data_are_made_to_fit(context, digits, tmp_path):

    from vaesweep.data import Folder

    photos = tmp_path / "photos"
    write_photos(photos)
    options = {"val_fraction": 0.2, "test_fraction": 0.5, "binarize": "none", "on_device": False, "seed": 0}
    other = Folder(path=str(photos), cache=str(tmp_path / "cache"), size=20, color="rgb", batch_size=1, **options)
    outcome = measures.Anomaly(other, 1000)(context("model=ae"))
    assert set(outcome.values) == {"other_data_by_mse"}
    assert outcome.absent.keys() == {"excluded_class", "by_nelbo"}
    with pytest.raises(NotApplicable, match="exclude_label"):
        measures.Anomaly(digits, 1000)(context("model=ae"))


def test_the_jacobian_of_a_linear_code_is_its_matrix(pca):
    made = pca(6)
    weight = made.model.encoder.body[0].weight
    weight *= torch.arange(1.0, 7)[:, None]
    outcome = measures.CodeJacobian(images=100)(made)
    assert outcome.series["singular_values"] == pytest.approx([6, 5, 4, 3, 2, 1], rel=1e-4)
    found = [outcome.values[name].value for name in ("frobenius", "largest", "smallest")]
    assert found == pytest.approx([weight.norm().item(), 6, 1], rel=1e-4)


@pytest.mark.slow
def test_units_that_are_off_are_counted(context):
    made = context("model=sparse", "model.latent_dim=3")
    made.cache["test", None] = Codes(torch.tensor([[0.9, 0.05, 0.0], [0.5, 0.2, 0.1]]), torch.zeros(2, 1).long())
    outcome = measures.SparseUnits(threshold=0.1)(made)
    assert outcome.values["l0"].value == pytest.approx(1.5)
    assert outcome.values["dead"].value == 1
    assert outcome.series["rho_hat"] == pytest.approx([0.7, 0.125, 0.05])
    with pytest.raises(NotApplicable):
        measures.SparseUnits(0.1)(context("model=ae"))
    signed = context("model=sparse", "model.latent_dim=3", "model.penalty=l1", "model.code=tanh")
    signed.cache["test", None] = Codes(torch.tensor([[-0.5, 0.5, 0.0]]), torch.zeros(1, 1).long())
    assert measures.SparseUnits(0.1)(signed).series["rho_hat"] == pytest.approx([0.5, 0.5, 0])


def test_a_projection_is_where_it_moves_to(pca):
    assert numbers(measures.ReconstructionField(size=5), pca(2))["change"] == pytest.approx(0, abs=1e-5)
    with pytest.raises(NotApplicable, match="codes of 2 dimensions"):
        measures.ReconstructionField(size=5)(pca(3))


@pytest.mark.slow
def test_a_mixture_says_more_of_codes_in_clusters(context):
    torch.manual_seed(0)
    made = context("model=ae")
    mixture = measures.ExPostDensity(10, 10_000)
    apart = numbers(mixture, coded(made, lambda y: one_hot(y) + 0.05 * torch.randn(len(y), 10)))
    one = numbers(mixture, coded(made, lambda y: torch.randn(len(y), 10)))
    assert apart["code_density"] > 5
    assert one["code_density"] < 0.2


def test_other_data_that_cannot_be_used_are_named_by_the_key_of_the_measure(context, tmp_path):
    write_photos(tmp_path / "photos")
    options = {"batch_size": 32, "val_fraction": 0.2, "test_fraction": 0.2, "binarize": "none", "on_device": False}
    few = Folder(str(tmp_path / "photos"), str(tmp_path / "cache"), 8, "grey", seed=0, **options)
    with pytest.raises(ConfigError, match=r"^anomaly.against.batch_size: got 32 with \d+ training images"):
        measures.Anomaly(few, 100)(context("model=vae"))


def test_paths_between_codes():
    torch.manual_seed(0)
    start, end, share = torch.randn(6), torch.randn(6), torch.linspace(0, 1, 5)
    for path in (lerp, slerp):
        way = path(start, end, share)
        assert torch.allclose(way[[0, -1]], torch.stack([start, end]), atol=1e-5)
    unit = slerp(start / start.norm(), end / end.norm(), share)
    assert torch.allclose(unit.norm(dim=1), torch.ones(5), atol=1e-5)
    angles = (unit[1:] * unit[:-1]).sum(1).acos()
    assert torch.allclose(angles, angles[:1].expand(4), atol=1e-3)
    for other in (-start, 2 * start, 0 * start):
        assert torch.allclose(slerp(start, other, share), lerp(start, other, share), atol=1e-5)


def test_arithmetic_moves_one_class_to_another(context):
    made = coded(context("model=ae"), one_hot)
    assert numbers(measures.Arithmetic(a=3, b=8, images=10_000), made)["class_8_becomes_3"] == 1
    with pytest.raises(NotApplicable, match="classes 3 and 11"):
        measures.Arithmetic(a=3, b=11, images=10_000)(made)


def test_a_class_without_test_images_is_not_moved(context):
    made = coded(context("model=ae"), one_hot)
    test = made.codes("test")
    kept = test.label[:, 0] != 8
    made.cache["test", None] = Codes(test.mean[kept], test.label[kept])
    with pytest.raises(NotApplicable, match="the test split has no image of class 8"):
        measures.Arithmetic(a=3, b=8, images=10_000)(made)


def test_a_learned_sigma_has_no_optimum_where_the_code_has_all_dimensions(context):
    made = context("model=vae", *LINEAR, "model.likelihood.learn=true", "model.latent_dim=62")
    made.results.rate_weight = 1.0
    with pytest.raises(NotApplicable, match="the likelihood has no maximum"):
        measures.LinearOptimum()(made)


def test_a_film_goes_there_and_back(context):
    film = measures.Traversal(dims=4, rows=2, frames=5)(context("model=vae")).figures["traversal"]
    assert len(film) == 8


def test_the_plane_of_a_grid_is_as_large_as_was_asked_for(context):
    (figure,) = measures.LatentManifold(size=6, range=[0.1, 0.8])(context("model=vae")).figures.values()
    (axes,) = figure.axes
    labels = [
        float(text.get_text().replace("\N{MINUS SIGN}", "-")) for text in axes.get_xticklabels() if text.get_text()
    ]
    assert labels == pytest.approx([-1.3, 0.8], abs=0.05)
    for ends in ([0, 0.9], [0.9, 0.1], [0.5], "wide"):
        with pytest.raises(ConfigError, match="range"):
            measures.LatentManifold(6, ends)


def test_data_without_factors_are_told_so(context):
    with pytest.raises(NotApplicable, match="no factors"):
        measures.Disentanglement(images=100)(context("model=vae"))


def test_images_without_classes_are_told_so(context, digits):
    made = coded(context("model=ae"), one_hot)
    for codes in made.cache.values():
        codes.label.zero_()
    for measure in (measures.Probe(10_000, 5), measures.Arithmetic(1, 0, 10_000)):
        with pytest.raises(NotApplicable, match="no classes"):
            measure(made)
    assert "no classes" in measures.Retrieval(10, 10_000)(made).absent["precision"]


class Sorted(ImageDataModule):
    """400 images of 12 x 12 in the order of their 4 classes; two factors."""

    def load(self):
        label = torch.arange(400) // 100
        source = torch.Generator().manual_seed(0)
        noise = torch.randint(0, 60, (400, 1, 12, 12), generator=source, dtype=torch.uint8)
        return (noise + 40 * label[:, None, None, None].to(torch.uint8), torch.stack([label, label % 2], dim=1)), None


@pytest.fixture
def in_order():
    options = {"val_fraction": 0.1, "test_fraction": 0.3, "binarize": "none", "on_device": False, "seed": 0}
    data = Sorted(batch_size=16, **options)
    data.setup()
    return data


def test_a_part_of_a_sorted_split_has_every_class(context, in_order):
    made = context("model=ae", data=in_order)
    small, large = (made.part("train", most).indices.tolist() for most in (40, 100))
    assert len(small) == 40
    assert set(small) < set(large)
    assert small == sorted(small)
    assert {row // 100 for row in small} == {0, 1, 2, 3}
    assert made.part("train", 10_000).indices.tolist() == in_order.splits["train"].indices.tolist()


def test_codes_labels_and_pictures_are_of_the_same_images(context, in_order):
    made = context("model=ae", data=in_order)
    codes, index = made.codes("train", 40), torch.tensor([[3, 0], [39, 17]])
    images = made.pictures("train", 40, index)
    assert torch.equal(codes.label[index], in_order.splits["train"].labels[made.part("train", 40).indices[index]])
    again = made.model.posterior(images.flatten(0, 1), codes.label).mean
    assert torch.allclose(again, codes.mean[index].flatten(0, 1), atol=1e-5)


def test_structure_is_compared_between_images_and_their_reconstructions(context, in_order):
    made = context("model=ae", data=in_order)
    image, label = (torch.cat(parts) for parts in zip(*made.batches("test"), strict=True))
    expected = structural_similarity_index_measure(made.reconstruct(image, label), image, data_range=1.0)
    assert numbers(measures.Reconstruction(), made)["ssim"] == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.slow
def test_what_is_learnt_is_learnt_from_the_training_split(context):
    made = coded(context("model=ae"), one_hot)
    for most in (None, 10_000):
        test = made.cache["test", most]
        made.cache["test", most] = Codes(one_hot((test.label[:, 0] + 1) % 10).float(), test.label)
    assert set(numbers(measures.Probe(10_000, 5), made).values()) == {
        0,
        numbers(measures.Probe(10_000, 5), made)["chance"],
    }
    assert numbers(measures.Retrieval(10, 10_000), made)["precision_at_10"] == 0
    made.cache["test", None] = Codes(5 * one_hot(test.label[:, 0]).float(), test.label)
    assert numbers(measures.Arithmetic(a=3, b=8, images=10_000), made)["class_8_becomes_3"] == 0


def test_hits_are_training_images(context, monkeypatch):
    shown = []
    monkeypatch.setattr(figures, "retrieved_images", lambda *given: shown.append(given))
    made = coded(context("model=ae"), one_hot)
    measures.Retrieval(k=10, images=10_000)(made)
    ((queries, found, right),) = shown
    assert right.all()
    train, label = (torch.cat(parts) for parts in zip(*made.batches("train"), strict=True))
    test, test_label = (torch.cat(parts) for parts in zip(*made.batches("test"), strict=True))
    for row, query in zip(found, queries, strict=True):
        wanted = test_label[(test == query).flatten(1).all(1), 0][0]
        for image in row:
            (places,) = (train == image).flatten(1).all(1).nonzero(as_tuple=True)
            assert wanted in label[places, 0]


def test_nelbo_of_an_image_is_its_kl_and_its_distortion(context):
    made = context("model=vae")
    batch = made.examples(20)
    posterior = made.model.posterior(*batch)
    q = torch.distributions.Normal(posterior.mean, posterior.sigma)
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0, 1)).sum(1)
    z = posterior.sample(torch.randn(posterior.mean.shape, generator=made.draw("anomaly", 0)))
    p = torch.distributions.Bernoulli(logits=made.model.decode(z, batch.label), validate_args=False)
    assert torch.allclose(scores(made, [batch])["nelbo"], kl - p.log_prob(batch.image).flatten(1).sum(1), rtol=1e-4)


def test_other_data_are_binary_where_the_members_own_are(context, in_order):
    options = {"val_fraction": 0.1, "test_fraction": 0.2, "on_device": False, "seed": 0}
    for binarize in ("threshold", "dynamic"):
        data = Digits(batch_size=64, binarize=binarize, **options)
        data.setup()
        batches = measures.Anomaly(in_order, 50).other_batches(context("model=ae", data=data))
        assert sum(len(batch.image) for batch in batches) == 50
        assert all(batch.image.shape[1:] == (1, 8, 8) for batch in batches)
        assert {value for batch in batches for value in batch.image.unique().tolist()} == {0, 1}


@pytest.mark.slow
def test_a_collapsed_posterior_is_the_prior(context):
    made = context("model=vae")
    for parameter in made.model.encoder.parameters():
        parameter.zero_()
    found = numbers(measures.PosteriorSpread(), made)
    assert found["width"] == 1
    assert found["aggregate_spread"] == pytest.approx(1, abs=0.05)
    assert numbers(measures.KLDecomposition(50), made)["active_units"] == 0


def test_a_grid_is_that_of_the_most_active_dimensions(context, monkeypatch):
    made = context("model=vae", "model.latent_dim=4")
    mean = torch.tensor([0.0, 2.0, 0.1, 3.0]).expand(9, -1)
    monkeypatch.setattr(made, "posterior", lambda split: DiagonalGaussian(mean, torch.zeros_like(mean)))
    seen = []
    monkeypatch.setattr(made.model, "generate", lambda z, y: seen.append(z) or torch.zeros(len(z), 1, 8, 8))
    (figure,) = measures.LatentManifold(size=3, range=[0.1, 0.9])(made).figures.values()
    assert figure.axes[0].get_xlabel().startswith("z3")
    assert figure.axes[0].get_ylabel().startswith("z1")
    z = seen[0].view(3, 3, 4)
    assert z[0, :, 3].tolist() == pytest.approx([-1.2816, 0, 1.2816], abs=1e-4)
    assert z[:, 0, 1].tolist() == pytest.approx([-1.2816, 0, 1.2816], abs=1e-4)
    assert (z[..., [0, 2]] == 0).all()


def test_images_in_a_pair_are_of_different_classes_unless_the_class_is_told():
    assert image_pairs([0, 0, 1, 2, 1], same_class=False) == [(0, 2), (1, 3)]
    assert image_pairs([0, 1, 0, 2, 1], same_class=True) == [(0, 2), (1, 4)]
    assert image_pairs([7, 7, 7], same_class=False) == [(0, 1)]
    assert image_pairs([7], same_class=False) == []


def test_interpolation_is_linear_and_then_spherical(context, monkeypatch):
    made, walked = context("model=ae"), []
    monkeypatch.setattr(made.model, "generate", lambda z, y: walked.append(z) or torch.zeros(len(z), 1, 8, 8))
    measures.Interpolation(pairs=1, steps=5)(made)
    straight, arc = walked
    share = torch.linspace(0, 1, 5)
    assert torch.allclose(straight, lerp(straight[0], straight[-1], share))
    assert torch.allclose(arc, slerp(straight[0], straight[-1], share))
    assert not torch.allclose(arc, straight, atol=1e-3)


def test_every_batch_has_noise_of_its_own(context):
    made = context("model=ae")
    measure = measures.NoiseRobustness(["gaussian"], [0.5], 100)
    batch = made.examples(10)
    first, second = (measure.add_noise(made, "gaussian", batch, number)[0] for number in (0, 1))
    assert not torch.allclose(first, second)


@pytest.mark.slow
def test_codes_that_are_the_factors_are_disentangled(context):
    options = {"val_fraction": 0.1, "test_fraction": 0.4, "binarize": "none", "on_device": False, "seed": 0}
    data = Shapes(size=5000, batch_size=64, **options)
    data.setup()
    made = context("model=vae", data=data)
    for split in ("train", "test"):
        part = made.part(split, 2000)
        label = part.labels[part.indices]
        made.cache[split, 2000] = Codes(label.float() + 0.05 * torch.randn(label.shape), label)
    found = numbers(measures.Disentanglement(images=2000), made)
    assert found["factor_vae"] == 1
    assert found["beta_vae"] > 0.97
    assert 0.6 < found["mig"] < 0.95
    assert 0.8 < found["dci_disentanglement"] <= 1
    assert 0.6 < found["sap"] < 0.9
    assert 0.1 < found["sap_linear_svc"] < found["sap"]

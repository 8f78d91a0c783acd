"""The contract that every member keeps, and the plain autoencoder against principal component analysis."""

import copy

import pytest
import torch
from sklearn.decomposition import PCA
from torch.func import functional_call, stack_module_state, vmap

from support.compositions import MODELS
from support.noise import noise_for
from support.train_to_optimum import minimise_exactly
from vaesweep.errors import ConfigError
from vaesweep.models import Batch


@pytest.mark.parametrize("name", MODELS)
def test_terms_are_finite_scalars_and_the_loss_has_gradients(model, batch, name):
    made = model(f"model={name}")
    terms = made(batch, noise_for(made, batch))
    assert terms.distortion.shape == terms.loss.shape == ()
    assert terms.penalties.shape == (len(made.declaration.terms),)
    assert all(term.isfinite().all() for term in terms)
    terms.loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_a_member_is_a_function_of_its_arguments(model, batch, name):
    made = model(f"model={name}")
    noise = noise_for(made, batch)
    torch.manual_seed(1)
    first = made(batch, noise)
    torch.manual_seed(2)
    assert all(torch.equal(a, b) for a, b in zip(first, made(batch, noise), strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_knobs_are_float_buffers(model, name):
    made = model(f"model={name}")
    assert all(buffer.is_floating_point() for buffer in made.buffers())
    knobs = {"denoising": "level", "sparse": "rho", "contractive": "lam"}.get(name, "beta" if "vae" in name else None)
    assert knobs is None or knobs in dict(made.named_buffers())


@pytest.mark.slow
@pytest.mark.parametrize("network", ["mlp", "conv"])
@pytest.mark.parametrize("name", MODELS)
def test_a_stack_of_members_is_a_member(model, batch, name, network):
    """Under vmap two members with other weights and knobs give what each gives alone."""
    made = [model(f"model={name}", f"network={network}").double() for _ in range(2)]
    for buffer in made[1].buffers():
        buffer.mul_(0.5)
    for parameter in made[1].parameters():
        parameter.data.mul_(1.1)
    data = Batch(batch.image.double(), batch.label)
    noise = torch.stack([noise_for(m, data, seed) for seed, m in enumerate(made)])
    state = stack_module_state(made)
    skeleton = copy.deepcopy(made[0]).to("meta")

    def one(parameters, buffers, draw):
        return functional_call(skeleton, (parameters, buffers), (data, draw))

    stacked = vmap(one)(*state, noise)
    for i, m in enumerate(made):
        for together, alone in zip(stacked, m(data, noise[i]), strict=True):
            assert torch.allclose(together[i], alone, rtol=1e-12)


def test_distortion_is_the_mean_nll_of_the_decoded_code(model, batch):
    made = model("model=ae")
    eta = made.decode(made.encoder(batch.image), batch.label)
    nll = torch.nn.functional.binary_cross_entropy_with_logits(eta, batch.image, reduction="sum") / len(eta)
    terms = made(batch, noise_for(made, batch))
    assert torch.allclose(torch.stack([terms.distortion, terms.loss]), nll.expand(2))
    assert len(terms.penalties) == 0


@pytest.mark.slow
def test_a_linear_autoencoder_reaches_the_error_of_pca(model, digits):
    made = model("model=ae", "network=linear", "model/likelihood=gaussian").double()
    data = Batch(digits.splits["train"].images.double() / 16, digits.splits["train"].labels)
    minimise_exactly(made, data, noise_for(made, data), 400)
    error = (made.generate(made.posterior(data.image, data.label).mean, data.label) - data.image).square().mean().item()
    flat = data.image.flatten(1).numpy()
    pca = PCA(10).fit(flat)
    best = ((pca.inverse_transform(pca.transform(flat)) - flat) ** 2).mean()
    assert best * (1 - 1e-9) <= error <= best * 1.01


@pytest.mark.parametrize("given", [0, -3, 2.5])
def test_latent_dim_must_be_a_whole_number(model, given):
    with pytest.raises(ConfigError, match=f"model.latent_dim: got {given}; allowed: a whole number of at least 1"):
        model("model=ae", f"model.latent_dim={given}")


def test_an_unknown_code_is_refused(model):
    with pytest.raises(ConfigError, match=r"model.code: got sigmund; allowed: identity"):
        model("model=ae", "model.code=sigmund")

import math

import pytest
import torch
from sklearn.metrics import mutual_info_score
from torch import Tensor

from vaesweep.metrics.beta_vae_score import beta_vae_score
from vaesweep.metrics.dci import dci, disentanglement_completeness
from vaesweep.metrics.factor_vae_score import factor_vae_score
from vaesweep.metrics.factors import rows_that_share
from vaesweep.metrics.mig import mig
from vaesweep.metrics.mutual_information import mutual_information
from vaesweep.metrics.sap import predictability, sap, sap_linear_svc

SIZES = (3, 6, 8, 8, 8)
CHANCE = sum(1 / size for size in SIZES) / len(SIZES)
GRID = torch.cartesian_prod(*map(torch.arange, SIZES))


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(seed: int, count: int = 2000) -> Tensor:
    """Independent, uniform factors."""
    return (torch.rand(count, len(SIZES), generator=source(seed)) * torch.tensor(SIZES)).long()


def standard(factors: Tensor) -> Tensor:
    """Factors on one scale, on average of mean 0 and variance 1."""
    sizes = torch.tensor(SIZES).double()
    return (factors - (sizes - 1) / 2) / ((sizes.square() - 1) / 12).sqrt()


def noise(like: Tensor, seed: int) -> Tensor:
    return torch.randn(like.shape, generator=source(seed), dtype=torch.float64)


TRAIN, TEST = drawn(1), drawn(2)
EXACT = standard(TRAIN), standard(TEST)
NOISY = tuple(codes + 0.2 * noise(codes, seed) for seed, codes in enumerate(EXACT, 3))
NOISE = noise(TRAIN, 5), noise(TEST, 6)


def every(train: Tensor, test: Tensor, known: Tensor = TRAIN, asked: Tensor = TEST) -> dict[str, float]:
    """All scores of training and test codes."""
    return {
        "mig": mig(test, asked),
        **dci(train, known, test, asked, seed=0)._asdict(),
        "sap": sap(train, known, test, asked, seed=0),
        "factor_vae": factor_vae_score(test, asked, source()),
        "beta_vae": beta_vae_score(test, asked, source()),
    }


@pytest.fixture(scope="module")
def noisy() -> dict[str, float]:
    return every(*NOISY)


@pytest.mark.slow
def test_codes_that_are_factors_score_best():
    scores = every(*EXACT)
    # all but that of the SAP have 1 for their best; there, chance is the second best
    assert scores.pop("sap") == pytest.approx(1 - CHANCE, abs=0.02)
    assert min(scores.values()) > 0.98
    assert mig(standard(GRID), GRID) == pytest.approx(1)
    assert sap(standard(GRID), GRID, standard(GRID), GRID, seed=0) == pytest.approx(1 - CHANCE)


@pytest.mark.slow
@pytest.mark.parametrize("overall", [2**-40, 2**20])
def test_order_sign_and_scale_of_dimensions_do_not_matter(overall: float, noisy: dict[str, float]):
    scale = overall * torch.tensor([0.25, -1, 2, -0.125, 4], dtype=torch.float64)
    moved = every(*((codes * scale)[:, [3, 0, 4, 1, 2]] for codes in NOISY))
    assert moved == pytest.approx(noisy, abs=0.015)
    assert 0.3 < moved["mig"] < 0.9


@pytest.mark.slow
def test_a_dense_rotation_scores_low():
    # rows of a Hadamard matrix: each of 8 dimensions tells as much of each factor, so none is best by more than chance
    plane = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64) / math.sqrt(2)
    rotation = torch.kron(plane, torch.kron(plane, plane))[: len(SIZES)]
    scores = every(*(codes @ rotation for codes in EXACT))
    assert scores["mig"] < 0.05
    assert scores["disentanglement"] < 0.1
    assert scores["completeness"] < 0.1
    assert scores["sap"] < 0.05
    assert scores["factor_vae"] < 0.4


@pytest.mark.slow
def test_independent_noise_scores_as_chance():
    scores = every(*NOISE)
    assert scores["mig"] < 0.01
    assert scores["disentanglement"] < 0.1
    assert scores["completeness"] < 0.1
    assert scores["informativeness"] == pytest.approx(CHANCE, abs=0.02)
    assert scores["sap"] < 0.03
    assert scores["factor_vae"] == pytest.approx(1 / len(SIZES), abs=0.1)
    assert scores["beta_vae"] == pytest.approx(1 / len(SIZES), abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("dims", [1, 3])
def test_constant_codes_score_lowest(dims: int):
    constant = torch.tensor([0.1, -3.3, 700.7])[:dims].repeat(len(TRAIN), 1)
    scores = every(constant, constant)
    assert scores.pop("informativeness") == pytest.approx(CHANCE, abs=0.02)
    assert scores == {
        "mig": 0,
        "disentanglement": 0,
        "completeness": 0,
        "sap": 0,
        "factor_vae": 1 / len(SIZES),
        "beta_vae": 1 / len(SIZES),
    }


def test_mutual_information_is_that_of_the_bins():
    bins = 7
    codes = NOISY[1][:, :3] * torch.tensor([1, 1e-6, 1e6])
    found = mutual_information(codes, TEST, bins)
    assert found.shape == (3, len(SIZES))
    for j, code in enumerate(codes.T.contiguous()):
        index = torch.bucketize(code, torch.linspace(code.min(), code.max(), bins + 1, dtype=code.dtype)[1:-1])
        assert found[j].tolist() == pytest.approx([mutual_info_score(index, column) for column in TEST.T], abs=1e-9)


@pytest.mark.slow
def test_a_copied_dimension_leaves_its_factor_no_gap():
    codes = standard(GRID)
    copied = torch.cat([codes, -2 * codes[:, 1:2]], dim=1)
    assert mig(copied, GRID) == pytest.approx(1 - 1 / len(SIZES))
    scores = every(*(torch.cat([codes, 3 * codes[:, 1:2]], dim=1) for codes in EXACT))
    assert scores["sap"] == pytest.approx(1 - CHANCE - (1 - 1 / SIZES[1]) / len(SIZES), abs=0.02)
    # it takes half of the importance, and log 2 / log 6 of one factor's completeness
    assert scores["disentanglement"] > 0.98
    assert scores["completeness"] == pytest.approx(1 - math.log(2) / math.log(6) / len(SIZES), abs=0.03)


@pytest.mark.slow
def test_a_single_dimension_has_no_second():
    share = 1 / len(SIZES)
    assert mig(standard(GRID)[:, 4:], GRID) == pytest.approx(share)
    scores = every(*(codes[:, 4:] for codes in EXACT))
    assert scores["sap"] == pytest.approx(CHANCE + share * (1 - 1 / SIZES[4]), abs=0.02)
    assert scores["informativeness"] == pytest.approx(CHANCE + share * (1 - 1 / SIZES[4]), abs=0.02)
    # it tells of every factor: forests share out what little they find, however little it is
    assert (scores["disentanglement"], scores["completeness"]) == pytest.approx((0, 1))
    assert scores["factor_vae"] == share
    # pairs that share factor 4 do not differ, but what the others share is not seen
    assert scores["beta_vae"] == pytest.approx(2 * share, abs=0.05)


@pytest.mark.slow
def test_a_factor_of_one_value_is_left_out(noisy: dict[str, float]):
    fixed = torch.full((len(TRAIN), 1), 3)
    known, asked = (torch.cat([part[:, :2], fixed, part[:, 2:]], dim=1) for part in (TRAIN, TEST))
    assert every(*NOISY, known, asked) == noisy
    only = torch.cat([fixed, TRAIN[:, :1]], dim=1), torch.cat([fixed, TEST[:, :1]], dim=1)
    scores = every(*EXACT, *only)
    assert scores.pop("sap") == pytest.approx(1 - 1 / SIZES[0], abs=0.04)
    assert min(scores.values()) > 0.98


CALLS = {
    "mig": lambda codes, factors: mig(codes, factors),
    "dci": lambda codes, factors: dci(NOISY[0], factors, codes, TEST, seed=0),
    "sap": lambda codes, factors: sap(NOISY[0], factors, codes, TEST, seed=0),
    "factor_vae": lambda codes, factors: factor_vae_score(codes, factors, source()),
    "beta_vae": lambda codes, factors: beta_vae_score(codes, factors, source()),
}


@pytest.mark.parametrize("score", CALLS.values(), ids=CALLS.keys())
def test_nothing_to_score_is_an_error(score):
    with pytest.raises(ValueError, match="no factor takes more than one value"):
        score(NOISY[1], torch.ones_like(TEST))
    with pytest.raises(ValueError, match="not all finite"):
        score(NOISY[1].log(), TEST)


@pytest.mark.slow
@pytest.mark.parametrize("score", CALLS.values(), ids=CALLS.keys())
def test_scores_depend_on_nothing_else(score):
    codes, factors = NOISY[1].clone(), TEST.clone()
    torch.manual_seed(1)
    first = score(codes, factors)
    torch.manual_seed(2)
    assert score(codes, factors) == first
    assert torch.equal(codes, NOISY[1])
    assert torch.equal(factors, TEST)


def binary_entropy(p: float) -> float:
    return -(p * math.log2(p) + (1 - p) * math.log2(1 - p))


def test_disentanglement_and_completeness_of_known_importances():
    importance = torch.tensor([[0.5, 0.0], [0.5, 0.25], [0.0, 0.75], [0.0, 0.0]], dtype=torch.float64)
    disentanglement = (0.5 + 0.75 * (1 - binary_entropy(1 / 3)) + 0.75) / 2
    # entropies to base 4 are half those in bits
    completeness = ((1 - 1 / 2) + (1 - binary_entropy(1 / 4) / 2)) / 2
    assert disentanglement_completeness(importance) == pytest.approx((disentanglement, completeness))


@pytest.mark.parametrize(
    ("importance", "expected"),
    [
        (torch.eye(3), (1, 1)),
        (torch.ones(3, 4), (0, 0)),
        (torch.zeros(3, 4), (0, 0)),
        # one dimension, one factor, and a factor that no dimension tells of
        (torch.ones(1, 4), (0, 1)),
        (torch.ones(4, 1), (1, 0)),
        (torch.tensor([[1.0, 0.0], [0.0, 0.0]]), (1, 0.5)),
    ],
)
def test_disentanglement_and_completeness_at_the_ends(importance: Tensor, expected: tuple[float, float]):
    assert disentanglement_completeness(importance) == pytest.approx(expected, abs=1e-6)


def test_the_published_sap_of_a_case_worked_out_by_hand():
    """Two binary factors, one of them in dimension 0; dimension 1 is constant."""
    factors = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]).repeat(50, 1)
    codes = torch.stack([4.0 * factors[:, 0] - 2, torch.zeros(200)], dim=1)
    # factor 0: 1 from dimension 0, 1/2 from the constant; factor 1: 1/2 from both
    assert sap_linear_svc(codes, factors, codes, factors) == pytest.approx((0.5 + 0) / 2)


def test_the_published_sap_has_the_published_penalty():
    """Locatello's C = 0.01 counts the threshold too: at 0.1 it would tell codes of 4 and 6 apart, S = 1."""
    factors = torch.tensor([[0], [1]]).repeat(100, 1)
    codes = torch.cat([2.0 * factors + 4, torch.zeros(200, 1)], dim=1)
    assert sap_linear_svc(codes, factors, codes, factors) == 0
    assert sap_linear_svc(codes - 5, factors, codes - 5, factors) == pytest.approx(0.5)


def test_linear_classifiers_cannot_pick_a_value_between_others():
    codes, factors = torch.arange(400)[:, None] % 8, torch.arange(400)[:, None] % 8
    assert sap_linear_svc(codes.double(), factors, codes.double(), factors) < 0.7
    assert sap(codes.double(), factors, codes.double(), factors, seed=0) == pytest.approx(1)


def test_predictability_is_balanced():
    shares = [(torch.rand(4000, 1, generator=source(seed)) < 0.1).long() for seed in (7, 8)]
    train, test = (
        torch.cat([part + 0.7 * noise(part, 9 + i), noise(part, 11 + i)], 1) for i, part in enumerate(shares)
    )
    found = predictability(train, shares[0], test, shares[1], seed=0)
    # the best threshold for classes of one size is half way
    between = torch.special.ndtr(torch.tensor(0.5 / 0.7)).item()
    assert found.flatten().tolist() == pytest.approx([between, 0.5], abs=0.04)


def test_rows_share_a_value():
    # a value of one image, and one of two
    factors = torch.cat([TEST, torch.tensor([[0, 7, 0, 0, 9], [1, 7, 1, 1, 0]])])
    which = torch.arange(1000) % len(SIZES)
    rows = rows_that_share(factors, which, 40, source())
    values = factors[rows].transpose(1, 2)
    for k in range(len(SIZES)):
        mine = values[which == k]
        assert (mine[:, k] == mine[:, k, :1]).all()
        assert set(mine[:, k, 0].tolist()) >= set(range(SIZES[k]))
        others = [j for j in range(len(SIZES)) if j != k]
        assert (mine[:, others].double().std(2) > 0).float().mean() > 0.99
        # each image that has the value is as likely
        assert mine[:, others].double().mean((0, 2)).tolist() == pytest.approx(
            [(SIZES[j] - 1) / 2 for j in others], abs=0.2
        )
    all_rows = rows_that_share(factors, torch.ones(20_000, dtype=torch.long), 2, source()).unique()
    assert all_rows.tolist() == list(range(len(factors)))


def test_a_dead_dimension_has_no_vote():
    dead = torch.zeros(len(TEST), 1, dtype=torch.float64)
    dead[:3] = 0.01
    assert factor_vae_score(torch.cat([dead, EXACT[1]], dim=1), TEST, source()) == 1
    assert factor_vae_score(torch.cat([100 * dead, EXACT[1]], dim=1), TEST, source()) < 0.7

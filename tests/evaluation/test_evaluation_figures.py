"""What the figures of an evaluation say: the run, the units, the condition."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from matplotlib.text import Text

from vaesweep import evaluation as measures
from vaesweep import figures
from vaesweep.evaluation.measure_runs import take_measure
from vaesweep.figures import figure_text
from vaesweep.metrics import activity
from vaesweep.models.distributions import Dirac
from vaesweep.training.run_and_record import run


@pytest.fixture(autouse=True)
def _no_grad():
    with torch.no_grad():
        yield


def words(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "caption"), [("beta_vae", "beta_vae · digits · beta 4 · seed 3"), ("sparse", "sparse · digits · seed 3")]
)
def test_a_figure_of_an_evaluation_names_the_run_as_its_record_does(context, monkeypatch, name, caption):
    saved = []
    monkeypatch.setattr(figures, "save", lambda figure, stem: saved.append(figure) or Path(f"{stem.name}.png"))
    made = context(f"model={name}", name=name, seed=3)
    take_measure(made, "code_jacobian", measures.CodeJacobian(20))
    take_measure(made, "traversal", measures.Traversal(2, 2, 3))
    still, film = saved
    assert all(words(frame).count(caption) == 1 for frame in (still, *film))


@pytest.mark.slow
def test_a_figure_of_training_names_the_run_as_its_record_does(config, monkeypatch, tmp_path):
    named, original = [], figure_text.run_caption
    monkeypatch.setattr(figure_text, "run_caption", lambda *given: named.append(original(*given)) or named[-1])
    composed = config("model=cvae", "callbacks=default", "trainer.max_epochs=1", "network.hidden=[8]", "seed=5")
    with torch.enable_grad():
        run(composed)
    record = json.loads((tmp_path / "run" / "results.json").read_text())
    assert (record["model"], record["data"]) == ("cvae", "digits")
    assert named == ["cvae · digits · beta 1 · seed 5"]


@pytest.mark.parametrize(("name", "unit"), [("vae", "KL\n{:.2f} nats"), ("ae", "variance\n{:.2g}")])
def test_columns_of_a_traversal_carry_what_their_dimension_does_over_the_test_split(context, name, unit):
    made = context(f"model={name}")
    posterior = Dirac(made.codes("test").mean) if name == "ae" else made.posterior("test")
    carried = activity(posterior)
    film = measures.Traversal(4, 2, 3)(made).figures["traversal"]
    order = carried.argsort(descending=True)[:4].tolist()
    for frame in film:
        labels = [text.get_text() for text in frame.axes[0].get_xticklabels()]
        assert labels == [f"z{i}\n{unit.format(carried[i])}" for i in order]


def test_a_frame_of_a_traversal_says_where_it_is(context):
    film = measures.Traversal(2, 1, 3)(context("model=vae")).figures["traversal"]
    assert [frame.axes[0].get_xlabel() for frame in film[:3]] == ["at z = -3.0", "at z = +0.0", "at z = +3.0"]
    film = measures.Traversal(2, 1, 3)(context("model=ae")).figures["traversal"]
    assert film[1].axes[0].get_xlabel().startswith("at 50 % of the way from the 1 % to the 99 % quantile")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vae", "cvae"])
def test_what_is_decoded_given_a_class_says_so(context, name):
    made = context(f"model={name}")
    is_given = name == "cvae"
    found = {
        **measures.Interpolation(3, 3)(made).figures,
        **measures.Inpainting(0.5, 10, 1)(made).figures,
        "denoised": measures.NoiseRobustness(["gaussian"], [0.2], 20)(made).figures["denoised_gaussian"],
        "traversal": measures.Traversal(2, 3, 2)(made).figures["traversal"][0],
    }
    assert all(("E[x|z, y]" in figure.get_suptitle()) == is_given for figure in found.values())
    for key in ("interpolation", "traversal"):
        rows = [text.get_text() for text in found[key].axes[0].get_yticklabels()]
        assert all(("y = class" in row) == is_given for row in rows)


def test_pictures_are_of_several_classes_though_the_split_is_sorted(context, monkeypatch):
    made = context("model=ae")
    split = made.data.splits["test"]
    by_class = split.indices[split.labels[split.indices, 0].argsort(stable=True)]
    monkeypatch.setitem(made.data.splits, "test", replace(split, indices=by_class))
    assert len(made.examples(1000).label[:4, 0].unique()) > 1
    assert made.examples(1000).label[:, 0].bincount().tolist() == split.labels[split.indices, 0].bincount().tolist()


def test_noise_levels_have_their_meaning_on_the_axis(context):
    found = measures.NoiseRobustness(["gaussian", "masking"], [0, 0.2], 20)(context("model=ae")).figures
    assert found["robustness_gaussian"].axes[0].get_xlabel() == "standard deviation of the noise"
    assert found["robustness_masking"].axes[0].get_xlabel() == "share of pixels set to 0"

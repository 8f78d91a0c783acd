"""A folder with a model, a network, a data set and a measure of one's own, through everything."""

import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from support.commands import only, record, run_script, train
from support.paths import OUTSIDE

OWN = ["--config-dir", "conf", "model=info_vae", "network=resnet", "data=npz", "logger=none", "trainer.max_epochs=2",
       "trainer=cpu"]  # fmt: skip
MEASURE = ["+sharpness._target_=my_measures.Sharpness", "+sharpness.images=50"]

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    """The folder, with data in it."""
    shutil.copytree(OUTSIDE, tmp_path / "work", ignore=shutil.ignore_patterns("__pycache__", "runs"))
    digits = load_digits()
    images = (digits.images[:400] * 15).astype(np.uint8)
    np.savez(tmp_path / "work" / "digits.npz", images=images, labels=digits.target[:400])
    return tmp_path / "work"


def test_the_parts_are_short():
    for file in OUTSIDE.glob("*.py"):
        assert len(file.read_text().splitlines()) < 50


def test_a_model_network_data_set_and_measure_from_outside_go_through_everything(folder):
    for launcher in ("stack", "pool"):
        study = ["-m", *OWN, "seed=0,1", f"hydra/launcher={launcher}", f"hydra.sweep.dir=runs/{launcher}"]
        done = train(folder, *study)
        assert done.returncode == 0, done.stdout + done.stderr
    stacked, pooled = (
        {one["seed"]: one["metrics"]["test/loss"] for one in map(record, folder.glob(f"runs/{name}/*seed=*"))}
        for name in ("stack", "pool")
    )
    assert set(stacked) == {0, 1}
    assert stacked == pytest.approx(pooled, rel=1e-3)

    again = train(folder, "resume=runs/stack", "seed=0,1,2")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "3 jobs, 2 completed earlier" in again.stdout
    records = [record(path.parent) for path in (folder / "runs" / "stack").glob("*/results.json")]
    assert [one["status"] for one in records] == ["completed"] * 3
    assert {one["model"] for one in records} == {"info_vae"}
    assert all("test/mmd" in one["metrics"] for one in records)

    # the classes are found where the run was started, and the data where they are said to lie
    elsewhere = folder.parent
    asked = ["run=work/runs/stack", "root=work/digits.npz", "measures=[sharpness,kl_decomposition]", *MEASURE]
    measured = run_script(elsewhere, "evaluate.py", *asked, PYTHONPATH=str(folder))
    assert measured.returncode == 0, measured.stdout + measured.stderr
    compared = run_script(folder, "compare.py", "runs/stack")
    assert compared.returncode == 0, compared.stdout + compared.stderr
    frame = pd.read_csv(folder / "runs" / "stack" / "report" / "runs.csv")
    assert frame[["rate", "mmd", "sharpness/ratio"]].notna().all().all()


def test_a_class_on_the_command_line_is_enough(folder):
    done = train(folder, "model=beta_vae", "~model.free_bits", "model._target_=my_models.InfoVAE", "+model.weight=1",
                 "trainer.max_epochs=1", "trainer=cpu", "callbacks=no_figures", "logger=none")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert record(only(folder))["model"] == "InfoVAE"


def test_an_interrupted_run_goes_on_with_the_configuration_of_its_folder(folder):
    done = train(folder, *OWN, "hydra.run.dir=runs/one", "callbacks=no_figures", "optimizer=adam_constant")
    assert done.returncode == 0, done.stderr
    more = train(folder, "resume=runs/one", "trainer.max_epochs=3")
    assert more.returncode == 0, more.stderr
    assert record(folder / "runs" / "one")["epochs"] == 3

"""Trained runs, measured by the command: what is left in their folders, what is said, what is refused."""

import json
import os
import re
import sys
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict
from PIL import Image

import vaesweep
from evaluate import name_runs, quote_run
from support.commands import run_command
from support.compositions import MODELS
from support.datasets import write_photos
from support.nightly import at_night_but
from support.paths import ROOT
from support.wandb_offline_runs import recorded
from vaesweep.data import Digits
from vaesweep.errors import ConfigError
from vaesweep.evaluation import NLL
from vaesweep.evaluation.evaluate_command import evaluate
from vaesweep.evaluation.load import load_context
from vaesweep.evaluation.measure_runs import measure_by_name
from vaesweep.records.evaluation_record import EvaluationRecord
from vaesweep.report.report import report
from vaesweep.report.run_collection import read

QUICK = [
    "nll.k=5", "kl_decomposition.images=50", "inpainting.images=20", "inpainting.steps=3", "traversal.dims=3",
    "noise_robustness.images=50", "interpolation.pairs=1", "ex_post_density.components=2", "latent_manifold.size=4",
    "traversal.frames=3", "disentanglement.images=200",
]  # fmt: skip
NUMBERS = ["reconstruction", "explained_variance", "probe", "code_jacobian"]


def measure(folder, *overrides):
    """`evaluate`, as the command composes it."""
    folders = folder if isinstance(folder, list) else [folder]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        where = quote_run(f"run=[{','.join(map(str, folders))}]")
        composed = compose("evaluate", [where, "device=cpu", "n_jobs=1", *overrides], return_hydra_config=True)
    HydraConfig.instance().set_config(composed)
    with open_dict(composed):
        del composed["hydra"]
    return evaluate(composed)


def kept(folder):
    return json.loads((folder / "evaluation.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("name", at_night_but(["sparse", "beta_vae"], MODELS))
def test_every_measure_of_every_model(copied, name, capsys):
    folder = copied(f"model={name}")
    assert measure(folder, *QUICK) == []
    found = kept(folder)["measures"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        known = [key for key, node in compose("evaluate", ["run=x"]).items() if OmegaConf.is_dict(node)]
    assert list(found) == known
    probabilistic = "vae" in name or name == "multi_rate"
    absent = {key for key, entry in found.items() if key in entry["absent"]}
    none = {"linear_optimum", "reconstruction_field", "disentanglement", "anomaly"} | (
        {"sparse_units"} if name != "sparse" else set()
    )
    none |= set() if name == "multi_rate" else {"rate_distortion_curve"}
    # the class is no factor, and other data have no class to be told
    none |= set() if probabilistic else {"nll", "kl_decomposition", "posterior_spread", "samples", "latent_manifold"}
    none |= {"probe", "retrieval", "arithmetic"} if name == "cvae" else set()  # its codes may leave the class out
    assert absent == none
    for key, entry in found.items():
        is_picture = key in ("samples", "interpolation", "traversal", "latent_manifold")
        assert entry["values"] or entry["absent"] or is_picture, key
        assert all(isinstance(value["value"], float | int) and value["unit"] for value in entry["values"].values())
    figures = {path.name for path in (folder / "evaluation").iterdir()}
    assert {
        "inpainting.png",
        "code_jacobian.png",
        "mixture_samples.png",
        "traversal.gif",
        "denoised_masking.png",
    } <= figures
    assert ("samples.png" in figures) == probabilistic
    assert ("conditional.png" in figures) == (name == "cvae")
    for path in (folder / "evaluation").iterdir():
        with Image.open(path) as picture:
            picture.load()
    said = capsys.readouterr().out
    assert "frobenius" in said
    *_, listed, _ = said.splitlines()
    assert listed.startswith("does not apply: ")
    assert (", kl_decomposition," in listed) != probabilistic
    assert not any(reason in said for entry in found.values() for reason in entry["absent"].values())


@pytest.mark.slow
def test_the_numbers_are_those_of_the_run_itself(copied):
    folder = copied("model=vae")
    measure(folder, "measures=[nll,reconstruction,kl_decomposition]", "nll.k=20")
    tested = json.loads((folder / "results.json").read_text())["metrics"]
    found = {name.partition("/")[2]: value for name, value in EvaluationRecord.load_or_none(folder).flat().items()}
    assert found["mse"] == pytest.approx(tested["test/mse"], abs=1e-6)
    assert found["kl"] == pytest.approx(tested["test/kl"], abs=1e-4)
    assert found["nelbo"] == pytest.approx(tested["test/nelbo"], abs=0.3)
    assert found["active_units"] == tested["test/active_units"]


@pytest.mark.slow
def test_dynamic_draws_are_those_of_the_test(copied):
    folder = copied("model=vae", "data.binarize=dynamic")
    measure(folder, "measures=reconstruction")
    tested = json.loads((folder / "results.json").read_text())["metrics"]
    assert EvaluationRecord.load_or_none(folder).flat()["reconstruction/mse"] == pytest.approx(
        tested["test/mse"], abs=1e-6
    )


@pytest.mark.slow
def test_the_same_seed_measures_the_same(copied):
    folder = copied("model=vae")
    numbers = []
    for seed in (0, 0, 1):
        measure(folder, "measures=[nll,kl_decomposition,ex_post_density]", *QUICK, f"seed={seed}")
        numbers.append({name: entry["values"] for name, entry in kept(folder)["measures"].items()})
    assert numbers[0] == numbers[1]
    assert numbers[0]["nll"] != numbers[2]["nll"]


@pytest.mark.slow
def test_measures_are_added_to_those_of_the_same_weights(copied):
    folder = copied("model=vae")
    measure(folder, "measures=[probe]")
    measure(folder, "measures=[reconstruction]")
    assert list(kept(folder)["measures"]) == ["reconstruction", "probe"]
    measure(folder, "measures=[reconstruction]", "checkpoint=best")
    assert list(kept(folder)["measures"]) == ["reconstruction"]
    assert kept(folder)["checkpoint"] == "best"


MULTI_RATE = "model=multi_rate"


@pytest.mark.slow
def test_a_run_for_a_range_of_betas_is_measured_at_another(copied, tmp_path):
    folder = copied(MULTI_RATE)
    assert measure(folder, "measures=[nll,traversal]", *QUICK) == []
    at_its_own = kept(folder)
    assert at_its_own["beta"] is None
    assert measure(folder, "measures=[nll]", *QUICK, "beta=2") == []
    at_two = kept(folder)
    assert at_two["beta"] == 2
    # what was measured at the other beta is given up, its figures too
    assert list(at_two["measures"]) == ["nll"]
    assert list((folder / "evaluation").iterdir()) == []
    nll = {key: found["measures"]["nll"]["values"]["nll"]["value"] for key, found in ((1, at_its_own), (2, at_two))}
    assert abs(nll[1] - nll[2]) > 0.01
    assert measure(folder, "measures=[nll]", *QUICK, "beta=1") == []  # the run's own
    assert kept(folder)["measures"]["nll"]["values"] == at_its_own["measures"]["nll"]["values"]
    by_hand = vaesweep.load(folder)
    for beta in (1, 2):
        with torch.no_grad():
            found = NLL(k=5)(by_hand.at(beta=beta).context).values["nll"].value
        assert found == pytest.approx(nll[beta], abs=1e-5)


@pytest.mark.slow
def test_another_beta_adds_to_the_record_of_that_beta(copied, capsys):
    folder = copied(MULTI_RATE)
    for name in ("reconstruction", "explained_variance"):
        assert measure(folder, f"measures={name}", "beta=2") == []
    assert list(kept(folder)["measures"]) == ["reconstruction", "explained_variance"]
    assert "measured at beta=2, not the run's own: multi_rate" in capsys.readouterr().out
    assert report(read([folder])).cautions == ["measured at beta=2, not the run's own: multi_rate"]
    measure(folder, "measures=reconstruction", "beta=1")
    assert report(read([folder])).cautions == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "beta", "line"),
    [
        (MULTI_RATE, 21, "beta: got 21; allowed: a number from beta_min=0.1 to beta_max=10"),
        ("model=vae", 2, "beta: got 2; allowed: nothing, as this model was trained for one weight of its rate"),
        ("model=ae", 2, "beta: got 2; allowed: nothing, as this model was trained for one weight of its rate"),
    ],
)
def test_a_beta_that_a_run_was_not_trained_for_is_refused(copied, model, beta, line):
    folder = copied(model)
    measure(folder, "measures=reconstruction")
    before = (folder / "evaluation.json").read_text()
    assert measure(folder, "measures=reconstruction", f"beta={beta}") == [line]
    assert (folder / "evaluation.json").read_text() == before


@pytest.mark.slow
def test_a_measure_by_name_is_added_at_the_weights_draws_and_beta_of_the_record(copied):
    folder = copied(MULTI_RATE)
    measure(folder, "measures=[reconstruction]", "checkpoint=best", "seed=3", "beta=2")
    before = kept(folder)
    assert measure_by_name("explained_variance", [folder]) == []
    after = kept(folder)
    assert [after[key] for key in ("checkpoint", "seed", "beta")] == ["best", 3, 2]
    assert after["measures"]["reconstruction"] == before["measures"]["reconstruction"]
    assert list(after["measures"]) == ["reconstruction", "explained_variance"]
    for edit, line in (({"checkpoint": "first"}, "checkpoint: got first"), ({"beta": 99}, "beta: got 99")):
        (folder / "evaluation.json").write_text(json.dumps(after | edit))
        (problem,) = measure_by_name("probe", [folder])
        assert line in problem


@pytest.mark.slow
def test_runs_on_the_same_data_load_them_once(copied, monkeypatch):
    loads, load = [], Digits.load
    monkeypatch.setattr(Digits, "load", lambda self: loads.append(self) or load(self))
    folders = [
        copied("model=vae", name="a"),
        copied("model=ae", name="b"),
        copied("model=vae", "data.seed=1", name="c"),
    ]
    loads.clear()  # those of the training
    assert measure(folders, "measures=reconstruction") == []
    assert [data.seed for data in loads] == [0, 1]
    loads.clear()
    assert measure_by_name("probe", folders) == []
    assert len(loads) == 2


@pytest.mark.slow
def test_a_schedule_is_at_its_end(copied):
    folder = copied("model=vae", "model/schedule=linear")
    file = folder / "checkpoints" / "last.ckpt"
    weights = torch.load(file, weights_only=True)
    weights["state_dict"]["model.progress"].fill_(0.1)
    torch.save(weights, file)
    assert load_context(folder, None, None, torch.device("cpu"), 0).model.progress == 1


@pytest.mark.slow
def test_other_draws_are_another_evaluation(copied):
    folder = copied("model=vae")
    measure(folder, "measures=[noise_robustness,reconstruction]", *QUICK)
    measure(folder, "measures=[reconstruction]", "seed=1")
    assert list(kept(folder)["measures"]) == ["reconstruction"]
    assert list((folder / "evaluation").iterdir()) == []


def test_a_folder_at_work_is_left_alone(copied):
    folder = copied("model=ae")
    with FileLock(folder / ".lock"):
        (problem,) = measure(folder, "measures=reconstruction")
    assert re.fullmatch(
        r"run: got .*run while another process is at work in it; allowed: one process at a time", problem
    )


@pytest.mark.slow
def test_data_that_were_moved_are_found(copied, tmp_path):
    write_photos(tmp_path / "photos")
    data = ["data=folder", f"data.path={tmp_path}/photos", f"data.cache={tmp_path}/cache", "data.size=8"]
    folder = copied("model=ae", *data, "data.batch_size=1", "data.test_fraction=0.3", "data.val_fraction=0.3")
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    (problem,) = measure(folder, "measures=reconstruction")
    assert (
        problem
        == f"root: got {tmp_path}/photos, which is no folder; allowed: root=FOLDER, where the data of the run lie now"
    )
    assert measure(folder, "measures=reconstruction", f"root={tmp_path}/elsewhere") == []
    Image.new("RGB", (20, 20), "red").save(tmp_path / "elsewhere" / "cats" / "another.png")
    (problem,) = measure(folder, "measures=reconstruction", f"root={tmp_path}/elsewhere")
    assert problem.startswith(f"root: got {tmp_path}/elsewhere, where the test images are not those of the run; ")
    (problem,) = measure(copied("model=ae", name="digits"), "measures=reconstruction", "root=elsewhere")
    assert problem == "root: got elsewhere; allowed: nothing, for digits, which lie nowhere"


@pytest.mark.slow
def test_what_was_measured_otherwise_is_said(copied, tmp_path):
    for seed in (0, 1):
        folder = copied("model=ae", f"seed={seed}", name=f"study/{seed}")
        measure(folder, "measures=probe", f"probe.images={100 + seed}")
    told = report(read([tmp_path / "study"])).cautions
    assert any(line.startswith("probe: not measured alike in all runs: ") for line in told)


@pytest.mark.slow
def test_a_class_left_out_is_the_anomaly(copied):
    folder = copied("model=vae", "data.exclude_label=3")
    measure(folder, "measures=anomaly", "data@anomaly.against=shapes", "anomaly.against.size=500", "anomaly.images=100")
    values = kept(folder)["measures"]["anomaly"]["values"]
    assert set(values) == {
        f"{kind}_by_{score}" for kind in ("excluded_class", "other_data") for score in ("mse", "nelbo")
    }
    assert values["other_data_by_mse"]["value"] > 0.9
    assert values["other_data_by_mse"]["unit"] == "AUROC of Shapes against test images"


LAST = Path("checkpoints/last.ckpt")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda run: (run / LAST).unlink(), r"checkpoint: got .*not there; allowed: last \| best"),
        (lambda run: (run / LAST).write_bytes(b"?"), r"checkpoint: got .*does not fit the run"),
        (lambda run: mend(run, latent_dim=7), r"checkpoint: got .*does not fit.*size mismatch"),
        (lambda run: mend(run, _target_="os.system"), r"model: got settings that it does not take"),
        (lambda run: (run / ".hydra" / "config.yaml").write_text("model: ["), r"run: got .*cannot be read"),
        (
            lambda run: (run / "evaluation").touch(),
            r"bad, reconstruction: |bad: FileExistsError|bad, noise_robustness: ",
        ),
        (lambda run: (run / ".hydra" / "config.yaml").unlink(), r"run: got .*cannot be read"),
        (lambda run: rewrite(run, status="interrupted", epochs=1), r"run: got .*, interrupted after 1 epoch.*resume="),
    ],
)
def test_what_is_wrong_with_a_run_is_said_and_the_others_go_on(copied, spoil, line):
    good, bad = copied("model=ae", name="good"), copied("model=ae", name="bad")
    spoil(bad)
    (problem,) = measure([bad, good], "measures=[reconstruction,noise_robustness]", *QUICK)
    assert re.match(line, problem)
    assert problem.startswith("bad, ") or not (bad / "evaluation.json").exists()
    assert list(kept(good)["measures"]) == ["reconstruction", "noise_robustness"]


def mend(folder, **settings):
    file = folder / ".hydra" / "config.yaml"
    config = OmegaConf.load(file)
    config.model.update(settings)
    OmegaConf.save(config, file)


def rewrite(folder, **fields):
    file = folder / "results.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


@pytest.mark.slow
def test_a_measure_that_fails_does_not_stop_the_others(copied, monkeypatch):
    def fail(self, subject):
        raise MemoryError("too much")

    monkeypatch.setattr("vaesweep.evaluation.measures.probe.Probe.__call__", fail)
    folder = copied("model=ae")
    assert measure(folder, "measures=[probe,reconstruction]") == ["run, probe: MemoryError: too much"]
    assert list(kept(folder)["measures"]) == ["reconstruction"]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("nll.k=0", r"nll.k: got 0; allowed: a whole number of at least 1"),
        ("measures=[nll,mmd]", r"measures: got mmd; allowed: nll \| kl_decomposition .*"),
        ("measures=[]", r"measures: got none; allowed: a list of nll, .*"),
        ("device=tpu", r"device: got tpu; allowed: auto \| cpu .*"),
        ("seed=-1", r"seed: got -1; .*"),
        ("wandb=yes", r"wandb: got yes; allowed: offline \| online"),
        ("beta=0", r"beta: got 0; allowed: a number above 0"),
        ("beta=two", r"beta: got two; allowed: a number above 0"),
        ("checkpoint=first", r"checkpoint: got first; allowed: last \| best"),
        ("noise_robustness.levels=[2]", None),
        ("noise_robustness.corruptions=[fog]", r"noise_robustness.corruptions: got fog; .*"),
    ],
)
def test_bad_settings_are_told_before_anything_is_measured(copied, override, line):
    folder = copied("model=ae")
    with pytest.raises(ConfigError) as told:
        measure(folder, override)
    assert re.fullmatch(line or r"noise_robustness.levels: got 2; allowed: a number in \[0, 1\]", str(told.value))
    assert not (folder / "evaluation.json").exists()


@pytest.mark.parametrize("given", ["run=", "run=[]"])
def test_no_folder_at_all_is_not_this_one(given):
    with (
        initialize_config_dir(str(ROOT / "conf"), version_base="1.3"),
        pytest.raises(ConfigError, match="run: got nothing; allowed: folders of"),
    ):
        evaluate(compose("evaluate", [given]))


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"run: got .*no runs in it.*; allowed: folders of completed runs"):
        measure(tmp_path)


@pytest.mark.slow
def test_a_study_is_laid_side_by_side(copied, tmp_path):
    study = tmp_path / "study"
    for name in ("ae", "vae"):
        copied(f"model={name}", name=f"study/{name}")
    assert measure(study, f"measures=[{','.join(NUMBERS)},nll]", *QUICK) == []
    lines = (study / "evaluation.md").read_text().splitlines()
    assert lines[0] == "| measure | value | unit | ae | vae |"
    cells = next(line for line in lines if "| NLL | nats per image, k = 5 |" in line).split("|")
    assert cells[4].strip() == ""
    assert float(cells[5]) == pytest.approx(EvaluationRecord.load_or_none(study / "vae").flat()["nll/nll"], abs=0.01)
    assert "- nll (ae): a point code has no posterior density" in lines
    made = report(read([study]))
    assert list(made.measurements.columns) == ["measure", "value", "unit", "ae", "vae"]
    assert (
        made.runs.set_index("model").loc["vae", "nll/nll"]
        == EvaluationRecord.load_or_none(study / "vae").flat()["nll/nll"]
    )


@pytest.mark.slow
def test_an_evaluation_of_another_configuration_is_not_shown(copied):
    folder = copied("model=ae")
    measure(folder, "measures=reconstruction")
    rewrite(folder, config_hash="another")
    assert read([folder]).runs[0].evaluation is None


@pytest.mark.slow
@pytest.mark.nightly
def test_w_and_b_gets_numbers_and_figures_in_a_run_beside_that_of_training(copied):
    folder = copied("model=ae", "logger.wandb.mode=offline")
    (before,) = (folder / "wandb").glob("*run-*-*")
    for _ in range(2):
        assert measure(folder, "measures=[reconstruction,traversal]", *QUICK, "wandb=offline") == []
    home = folder / "evaluation"
    assert list((folder / "wandb").glob("*run-*-*")) == [before]
    assert recorded(home)["name"] == f"evaluate {recorded(folder)['name']}"
    told = recorded(home)["summary"]
    assert told["evaluation/reconstruction/mse"] == kept(folder)["measures"]["reconstruction"]["values"]["mse"]["value"]
    assert told["evaluation/traversal"]["_type"] == "video-file"
    # the second evaluation goes on with the W&B run of the first
    recordings = list((home / "wandb").glob("*run-*-*"))
    assert len(recordings) == 2
    assert len({next(recording.glob("run-*.wandb")).stem for recording in recordings}) == 1


def test_names_of_folders_are_spelled_for_hydra(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b=1_seed=0", "b=1_seed=1", "it's"):
        (tmp_path / name).mkdir()
    assert quote_run("run=b=1_seed=0") == "run=['b=1_seed=0']"
    assert quote_run("run=b=*") == "run=['b=1_seed=0','b=1_seed=1']"
    assert quote_run("run=[b=1_seed=0, it's]") == r"run=['b=1_seed=0','it\'s']"
    assert quote_run("run=nowhere") == "run=['nowhere']"
    assert quote_run("run='quoted=already'") == "run='quoted=already'"
    assert quote_run("nll.k=5") == "nll.k=5"
    assert quote_run("run=") == "run="
    assert quote_run("run=b=1_seed=[01]") == "run=['b=1_seed=0','b=1_seed=1']"


def command(*arguments):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    script = str(ROOT / "src" / "evaluate.py")
    return run_command([sys.executable, script, *arguments], Path.cwd(), environment)


@pytest.mark.slow
def test_the_command_tells_what_it_could_not_do(copied, tmp_path):
    folder = copied("model=ae", name="beta=4")
    done = command(f"run=[{tmp_path}/*=4,{tmp_path}/nowhere]", "measures=sparse_units", "device=cpu")
    assert done.returncode == 1
    assert done.stderr.strip() == f"error: {tmp_path}/nowhere: no such folder"
    assert "does not apply: sparse_units (evaluation.json says why)" in done.stdout.splitlines()
    assert kept(folder)["measures"]["sparse_units"]["absent"] == {"sparse_units": "the code is not meant to be sparse"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beta=4"]


@pytest.mark.slow
def test_a_sweep_of_evaluations_is_refused_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command("-m", "run=a,b")
    assert done.returncode == 1
    assert done.stderr.startswith("error: -m: got several evaluations; allowed: one of several runs")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_help_names_every_measure():
    done = command("--help")
    assert done.returncode == 0
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        composed = compose("evaluate", ["run=x"])
    for name, node in composed.items():
        if OmegaConf.is_dict(node):
            line = next(line for line in done.stdout.splitlines() if line.startswith(f"  {name} "))
            assert all(key in line for key in node if key not in ("_target_", "against"))


def test_folders_need_no_key(tmp_path):
    (tmp_path / "a").mkdir()
    given = ["measures=nll", str(tmp_path / "a"), str(tmp_path)]
    assert name_runs(given) == ["measures=nll", f"run=['{tmp_path / 'a'}','{tmp_path}']"]
    assert name_runs(["run=a", "nll.k=5"]) == ["run=['a']", "nll.k=5"]


@pytest.mark.slow
def test_the_place_of_the_data_is_remembered(copied, tmp_path):
    """The variable that named it in training is not set any more."""
    folder = copied("model=ae")
    record = json.loads((folder / "results.json").read_text())
    assert record["data_root"] is None
    write_photos(tmp_path / "photos")
    data = ["data=folder", "data.path=${oc.env:PHOTOS}", f"data.cache={tmp_path}/cache", "data.size=8"]
    os.environ["PHOTOS"] = str(tmp_path / "photos")
    try:
        run = copied(
            "model=ae", *data, "data.batch_size=1", "data.test_fraction=0.3", "data.val_fraction=0.3", name="p"
        )
    finally:
        del os.environ["PHOTOS"]
    assert measure(run, "measures=reconstruction") == []


def test_a_folder_is_read_by_its_name_whatever_is_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a, b é", "it's [x]"):
        Path(name).mkdir()
    assert name_runs(["a, b é", "it's [x]", "nll.k=5"]) == ["nll.k=5", r"run=['a, b é','it\'s [x]']"]

"""What the report shows of a search."""

import json
import random

import pandas as pd
import pytest

from support.handmade import leave, rates
from vaesweep.records.results import FILE
from vaesweep.records.search_record import SearchRecord
from vaesweep.report.conclusions import search_conclusion
from vaesweep.report.per_dimension_chart import latent_dimensions
from vaesweep.report.report import report
from vaesweep.report.run_collection import read
from vaesweep.report.run_tables import summary, table
from vaesweep.report.search_chart import areas, heights, parallel_coordinates, search_figure

GOALS = ["val/kl", "val/distortion"]


def trial(settings, *values):
    return {"settings": settings, "status": "completed" if values else "failed", "values": list(values) or None}


def record(goals=GOALS, count=12):
    source = random.Random(0)
    trials = [
        trial({"model.beta": f"{source.uniform(0.1, 9):.4g}", "network": source.choice(["mlp", "conv"])},
              *(source.uniform(1, 20) for _ in goals))
        for _ in range(count)
    ]  # fmt: skip
    shares = {goal: {"model.beta": 0.9, "network": 0.1} for goal in goals}
    return SearchRecord(goals, [*trials, trial({"model.beta": "1e+30", "optimizer.lr": "1e30"})], shares)


@pytest.mark.slow
def test_the_area_behind_the_front_is_that_of_the_points_that_it_dominates():
    source = random.Random(1)
    points = pd.DataFrame([(source.uniform(0, 5), source.uniform(10, 30)) for _ in range(8)])
    grown, (right, top) = areas(points), points.max()
    for count in (1, 3, 8):
        some = points.head(count).to_numpy()
        drawn = [(source.uniform(0, right), source.uniform(0, top)) for _ in range(40_000)]
        share = sum(any(x <= a and y <= b for x, y in some) for a, b in drawn) / len(drawn)
        assert grown[count - 1] == pytest.approx(share * right * top, rel=0.06)
    assert grown == sorted(grown)


def test_numbers_stand_by_size_and_words_by_name():
    assert heights(pd.Series(["10", "9", "1e-3"])).tolist() == [1.0, 0.5, 0.0]
    assert heights(pd.Series(["mlp", "conv", "mlp"])).tolist() == [1.0, 0.0, 1.0]
    assert heights(pd.Series(["4", "4"])).tolist() == [0.0, 0.0]
    assert heights(pd.Series(["10", None, "2"])).tolist()[::2] == [1.0, 0.0]


@pytest.mark.parametrize(("goals", "panels"), [(GOALS, 4), (["val/loss"], 3)])
def test_a_search_is_drawn_from_its_completed_trials(goals, panels):
    figure = search_figure(record(goals))
    assert len(figure.specs()) == panels
    assert figure.caption.startswith("12 completed trials, 1 failed, by val/")
    (lines,) = [spec for spec in figure.specs() if "detail" in spec["encoding"]]
    rows = lines["datasets"][lines["data"]["name"]]
    assert len(rows) == 12 * (2 + len(goals))
    best = {row["trial"] for row in rows if row["best"]}
    assert len(best) == len(record(goals).front())


def test_one_trial_is_no_search():
    assert search_figure(record(count=1)) is None


@pytest.fixture
def study(tmp_path):
    """The folder of a search of three trials, of which one is beaten."""
    folder = tmp_path / "study"
    trials = []
    for name, beta, kl, distortion in (("a", 0.5, 8.0, 20.0), ("b", 1.0, 5.0, 25.0), ("c", 2.0, 6.0, 27.0)):
        val = {"kl": kl, "distortion": distortion}
        leave(folder / name, "beta_vae", beta=beta, metrics=rates(kl, distortion), val=val)
        trials.append(trial({"model.beta": str(beta)}, kl, distortion))
    SearchRecord(GOALS, trials).write(folder)
    return folder


@pytest.mark.slow
def test_trials_are_one_series_without_a_ladder(study):
    collection = read([study])
    frame = table(collection.runs)
    assert set(frame.series) == {"beta_vae (trials)"}
    assert sorted(frame.setting) == ["beta_vae beta=0.5", "beta_vae beta=1", "beta_vae beta=2"]
    assert summary(frame).beta.isna().all()
    content = report(collection)
    assert list(content.figures)[:2] == ["search", "plane"]
    assert "slope" not in content.figures
    assert "Lines join" not in content.figures["plane"].caption
    shown = [" ".join(spec["title"]["text"]) for spec in content.figures["dimensions"].specs()]
    assert shown == ["beta_vae beta=0.5", "beta_vae beta=1"]
    assert frame["model.beta"].tolist() == [0.5, 1, 2]


def test_dimensions_of_many_trials_are_a_row_a_trial(study):
    for i in range(7):
        leave(study / f"more{i}", "beta_vae", beta=3 + i, metrics=rates(4, 30))
    runs = read([study]).runs
    (spec,) = latent_dimensions(table(runs), runs).specs()
    rows = [row for rows in spec["datasets"].values() for row in rows]
    assert len({row["setting"] for row in rows}) == 10
    assert len(rows) == len({(row["setting"], row["rank"]) for row in rows})


@pytest.mark.slow
def test_the_conclusion_of_a_search_comes_first(study, tmp_path):
    text = (
        "3 trials in search of the lowest val/kl and val/distortion: 2 are on the front, where no other is lower in "
        "both. It goes from val/kl 5, val/distortion 25 (model.beta=1.0) to val/kl 8, val/distortion 20 "
        "(model.beta=0.5)."
    )
    assert report(read([study])).headline == text
    leave(tmp_path / "other" / "one", "vae", metrics=rates(3, 30))
    both = report(read([study, tmp_path / "other"])).headline
    assert both.startswith(f"{text} other: vae")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            [trial({}, 3.0), trial({}), trial({"a": "1"}, 2.0)],
            "3 trials (1 failed) in search of the lowest g: g 2 (a=1).",
        ),
        ([trial({})], "1 trial (1 failed) in search of the lowest g: none has completed."),
    ],
)
def test_a_search_for_one_metric_tells_its_lowest(found, text):
    assert search_conclusion(SearchRecord(["g"], found)) == text


@pytest.mark.slow
def test_only_the_best_trials_are_shown_one_by_one(study):
    shown = str(report(read([study])).figures["dimensions"].specs())
    assert "beta=0.5" in shown
    assert "beta=2" not in shown


@pytest.mark.slow
def test_a_search_of_other_runs_is_shown_all_the_same(study):
    SearchRecord(GOALS, [trial({}, 1.0, 2.0), trial({}, 2.0, 1.0)]).write(study)
    assert set(report(read([study])).figures) == {"search", "plane"}


@pytest.mark.slow
def test_a_damaged_record_costs_the_search_alone(study):
    (study / "search.json").write_text("{")
    collection = read([study])
    assert len(collection.runs) == 3
    assert collection.warnings == ["study: search.json is cut short or not JSON; its runs are shown without the search"]
    assert "search" not in report(collection).figures


def test_settings_with_the_same_last_name_have_an_axis_each():
    trials = pd.DataFrame({"trial": [1, 2], "best": [True, False], "seed": ["1", "2"], "data.seed": ["3", "4"]})
    chart = parallel_coordinates(trials, ["seed", "data.seed"]).to_dict()
    (rows,) = chart["datasets"].values()
    assert [row["name"] for row in rows] == ["seed", "seed", "data.seed", "data.seed"]


def prune(study, name):
    """Have the search say that it pruned the trial of a run."""
    settings = {"model.beta": str(json.loads((study / name / FILE).read_text())["config"]["model"]["beta"])}
    found = SearchRecord.read(study)
    trials = [one for one in found.trials if dict(one["settings"]) != settings]
    SearchRecord(GOALS, [*trials, {"settings": settings, "status": "pruned", "values": None}]).write(study)


@pytest.mark.slow
def test_a_pruned_trial_is_in_no_table_figure_or_ranking(study):
    prune(study, "a")
    content = report(read([study]))
    assert content.runs.set_index("run").status.to_dict() == {"a": "pruned", "b": "completed", "c": "completed"}
    assert sorted(content.means.setting) == ["beta_vae beta=1", "beta_vae beta=2"]
    assert "2 completed trials, 1 pruned" in content.figures["search"].caption
    assert not any("pruned" in line for line in content.diagnostics)


@pytest.mark.slow
def test_a_search_below_the_folder_is_known_as_one(study, tmp_path):
    for beta in (1, 4):
        leave(tmp_path / "ladder" / f"{beta}", "vae", beta=beta, metrics=rates(9 / beta, 20 + beta))
    content = report(read([tmp_path]))
    assert "search" in content.figures
    assert set(content.runs.series) == {f"{tmp_path.name}: vae", "study: beta_vae (trials)"}
    assert list(content.studies) == [tmp_path.name]
    beside = table(read([tmp_path, study]).runs)
    assert set(beside.series[beside.study == "study"]) == {"study: beta_vae (trials)"}

"""Curves of runs for a range of betas beside runs of one beta, from records that are written by hand."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import vl_convert

import vaesweep
from support.handmade import leave, leave_curve, rates
from support.nightly import at_night_but
from vaesweep.records.evaluation_record import FILE as EVALUATION
from vaesweep.records.results import FILE
from vaesweep.report.beta_range_curves import curves, marks, mean_curves
from vaesweep.report.beta_range_difference_chart import whole_curve
from vaesweep.report.curves_at_equal_rate import at_equal_rate, interpolators
from vaesweep.report.missing_measures import lacks_curve
from vaesweep.report.rate_distortion_plane_chart import plane
from vaesweep.report.report import VEGA_LITE, page, report
from vaesweep.report.run_collection import read
from vaesweep.report.run_tables import summary, table

BETAS = np.exp(np.linspace(np.log(0.1), np.log(20), 25))


def best(rate):
    """D(R) = 80 exp(-R / 10)."""
    return 80 * np.exp(-np.asarray(rate) / 10)


def curve(offset=0.0, error=0.0):
    """The series of a measured curve that lies `offset` above the best one; rates from 43.9 to 3.4."""
    rate = 10 * np.log1p(8 / BETAS)
    series = {"beta": BETAS, "rate": rate, "distortion": best(rate) + offset, "error": np.full(25, error)}
    return {name: values.tolist() for name, values in series.items()}


def read_curves(folder):
    """Table, runs and curves of a folder."""
    runs = read([folder]).runs
    frame = table(runs)
    return frame, runs, curves(frame, runs)


def compared(folder):
    return at_equal_rate(*read_curves(folder))


def declare(folder, **changes):
    """Change fields of a run's record."""
    record = json.loads((folder / FILE).read_text())
    (folder / FILE).write_text(json.dumps(record | changes))


def drawn(spec, name):
    """The rows that the layer of this name draws."""
    (layer,) = (layer for layer in spec["layer"] if layer.get("name", "") == name)
    return pd.DataFrame(spec["datasets"][layer["data"]["name"]])


@pytest.fixture
def study(tmp_path):
    """Two curves 0.3 and 0.5 above the best one, and three seeds of each of two betas, on average 0.1 above it."""
    folder = tmp_path / "study"
    for seed, offset in ((0, 0.3), (1, 0.5)):
        whole = leave_whole(folder / f"whole{seed}", seed, curve(offset))
        declare(whole, seconds=40.0 + 10 * seed)
    for beta, rate in ((1, 21.0), (4, 6.5)):
        for seed, above in ((0, 0.0), (1, 0.1), (2, 0.2)):
            run = folder / f"one{beta}{seed}"
            metrics = rates(rate + seed / 2, float(best(rate + seed / 2)) + above)
            leave(run, "beta_vae", seed, beta=beta, metrics=metrics)
    return folder


def leave_whole(folder, seed=0, series=None, **settings):
    leave(folder, "multi_rate", seed, metrics=rates(20.8, float(best(20.8))), curve=series or curve(), **settings)
    return folder


def test_the_difference_at_equal_rate_and_its_error_over_seeds(study):
    found = compared(study).set_index("setting")
    assert found.index.tolist() == ["beta_vae beta=1", "beta_vae beta=4"]
    # offsets of the curves, minus those of the runs: 0.4 - 0.1
    assert found.difference.tolist() == pytest.approx([0.3, 0.3], abs=0.01)
    of_curves, of_runs = np.var([0.3, 0.5], ddof=1) / 2, np.var([0.0, 0.1, 0.2], ddof=1) / 3
    assert found.difference_se.tolist() == pytest.approx([np.sqrt(of_curves + of_runs)] * 2, abs=0.005)
    assert found[["runs", "curves"]].values.tolist() == [[3, 2], [3, 2]]
    assert found.rate.tolist() == [21.5, 7.0]
    assert found.curve.tolist() == pytest.approx([best([r, r + 0.5, r + 1]).mean() + 0.4 for r in (21, 6.5)], abs=0.01)


def test_seeds_whose_rates_differ_do_not_widen_the_error(tmp_path):
    """Runs on the curve at other rates: their distortions vary by nats, their distances to it do not."""
    leave_whole(tmp_path / "a", 0, curve(0.2))
    leave_whole(tmp_path / "b", 1, curve(0.2))
    for seed in range(3):
        leave(tmp_path / f"{seed}", "vae", seed, beta=1, metrics=rates(18.0 + seed, float(best(18.0 + seed))))
    (found,) = compared(tmp_path).itertuples()
    assert found.difference == pytest.approx(0.2, abs=0.01)
    assert found.difference_se < 0.005
    assert np.std([best(18.0 + seed) for seed in range(3)], ddof=1) > 1


def test_with_one_seed_the_errors_are_over_images_of_distortion_plus_beta_times_rate(tmp_path):
    leave_whole(tmp_path / "whole", series=curve(0.5, error=0.3))
    distortion, kl = np.array([36.0, 40.0, 50.0, 34.0]), np.array([7.0, 5.0, 9.0, 7.0])
    loss, nelbo = distortion + 4 * kl, distortion + kl
    images = {"distortion": distortion, "kl": kl, "nelbo": nelbo, "loss": loss}
    leave(tmp_path / "one", "beta_vae", beta=4, metrics=rates(7.0, float(best(7))), images=images)
    (found,) = compared(tmp_path).itertuples()
    assert found.difference == pytest.approx(0.5, abs=0.01)
    assert found.difference_se == pytest.approx(np.hypot(0.3, loss.std(ddof=1) / 2))
    assert found.difference_se != pytest.approx(np.hypot(0.3, nelbo.std(ddof=1) / 2), rel=0.1)


@pytest.mark.slow
def test_with_one_seed_and_no_known_error_the_figure_has_no_bar(tmp_path):
    leave_whole(tmp_path / "whole", series=curve(0.5, error=0.3))
    leave(tmp_path / "one", "beta_vae", beta=4, metrics=rates(7.0, float(best(7))))
    frame, runs, rows = read_curves(tmp_path)
    assert at_equal_rate(frame, runs, rows).difference_se.isna().all()
    figure = whole_curve(frame, runs, rows)
    json.dumps(figure.specs(), allow_nan=False)
    assert figure.rows[1][-1] == "+0.50"


@pytest.mark.slow
def test_what_does_not_compare_is_left_out(study):
    good = compared(study)
    leave(study / "beyond", "beta_vae", beta=0.05, metrics=rates(44.0, 1.0))
    leave(study / "one_seed_beyond", "beta_vae", 0, beta=0.1, metrics=rates(43.0, 1.0))
    leave(study / "one_seed_beyond2", "beta_vae", 1, beta=0.1, metrics=rates(44.0, 1.0))
    leave(study / "conditional", "cvae", beta=1, metrics=rates(20.0, 12.0))
    record = json.loads((study / "conditional" / FILE).read_text())
    declare(study / "conditional", declaration=record["declaration"] | {"conditional": True})
    leave(study / "target", "vae", schedule={"C": 9.0}, metrics=rates(9.0, 30.0))
    leave(study / "failed", "beta_vae", status="failed", reason="x", beta=2, metrics=rates(9.0, 30.0))
    leave(study / "sparse", "sparse", metrics={"distortion": 19.0, "mse": 0.02, "sparsity": 3.0, "active_units": 4})
    found = compared(study)
    pd.testing.assert_frame_equal(found[good.columns], good)
    # and one that does compare is there
    leave(study / "within", "beta_vae", beta=2, metrics=rates(14.0, float(best(14))))
    assert set(compared(study).setting) - set(good.setting) == {"beta_vae beta=2"}


def test_other_data_do_not_compare(tmp_path):
    leave_whole(tmp_path / "whole", data="mnist")
    leave(tmp_path / "one", "beta_vae", beta=1, metrics=rates(20.0, 12.0))
    assert compared(tmp_path).empty
    leave(tmp_path / "other", "beta_vae", beta=1, data="mnist", metrics=rates(20.0, 12.0))
    assert compared(tmp_path).setting.tolist() == ["beta_vae mnist"]


@pytest.mark.slow
def test_a_run_for_a_range_without_a_curve_is_no_run_of_one_beta(study):
    good = compared(study)
    lacking = leave_whole(study / "lacking", 7)
    (lacking / EVALUATION).unlink()
    frame, runs, rows = read_curves(study)
    pd.testing.assert_frame_equal(at_equal_rate(frame, runs, rows), good)
    assert [run.folder.name for run in runs if lacks_curve(run)] == ["lacking"]


def test_a_training_that_is_tested_at_several_betas_has_one_curve(tmp_path):
    for beta in (1, 2):
        for seed in (0, 1):
            leave_whole(tmp_path / f"at{beta}_{seed}", seed, beta=beta)
    _, runs, rows = read_curves(tmp_path)
    assert len(runs) == 4
    assert rows.groupby("series").place.nunique().tolist() == [2]


def test_runs_of_the_same_name_in_two_studies_are_two_runs(tmp_path):
    for study, offset in (("a", 0.5), ("b", 1.5)):
        leave_whole(tmp_path / study / "run", series=curve(offset))
    leave(tmp_path / "c" / "run", "beta_vae", beta=1, metrics=rates(20.0, float(best(20))))
    runs = read([tmp_path / name for name in "abc"]).runs
    frame = table(runs)
    found = at_equal_rate(frame, runs, curves(frame, runs))
    assert found.difference.tolist() == pytest.approx([0.5, 1.5], abs=0.01)


@pytest.mark.slow
def test_only_completed_runs_with_settings_of_their_own_have_curves(study):
    frame, runs, rows = read_curves(study)
    assert len(rows) == 50
    trials = [replace(run, is_trial=True) for run in runs]
    assert curves(frame, trials).empty
    assert not any(map(lacks_curve, trials))
    declare(study / "whole0", status="interrupted", reason="stopped")
    assert len(read_curves(study)[2]) == 25


@pytest.mark.slow
def test_a_curve_of_measures_with_gaps_is_drawn_without_them(study):
    series = curve(0.3)
    series["rate"][3] = series["distortion"][5] = None
    series["error"][7] = None
    record = json.loads((study / "whole0" / FILE).read_text())
    leave_curve(study / "whole0", record["config_hash"], series)
    frame, runs, rows = read_curves(study)
    assert len(rows) == 48
    assert compared(study).difference.tolist() == pytest.approx([0.3, 0.3], abs=0.05)
    json.dumps(whole_curve(frame, runs, rows).specs(), allow_nan=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", at_night_but(["rate"], ["beta", "rate", "distortion", "error"]))
def test_an_odd_number_in_a_curve_costs_no_more_than_the_curve(tmp_path, name):
    """Odd values at the start of a series, as all of it, and for it."""
    path = leave_whole(tmp_path / "whole") / EVALUATION
    leave(tmp_path / "one", "beta_vae", beta=1, metrics=rates(20.0, 12.0))
    good = json.loads(path.read_text())
    drawn = set()
    for odd in (None, -1, 5e-324, 3e38, float("nan"), "1", 8.2):
        series = good["measures"]["rate_distortion_curve"]["series"][name]
        for edited in ([odd, *series[1:]], [odd] * len(series), odd):
            record = json.loads(json.dumps(good))
            record["measures"]["rate_distortion_curve"]["series"][name] = edited
            path.write_text(json.dumps(record))
            frame, runs, rows = read_curves(tmp_path)
            assert len(runs) == 2
            if rows.to_csv() in drawn:
                continue
            drawn.add(rows.to_csv())
            figures = [plane(frame, summary(frame), rows), whole_curve(frame, runs, rows)]
            for figure in filter(None, figures):
                json.dumps(figure.specs(), allow_nan=False)


def test_rates_that_rise_with_beta_are_left_out_of_the_comparison():
    whole = pd.DataFrame(curve())
    noisy = whole.assign(rate=whole.rate.where(whole.index != 6, 200.0))
    distortion, _ = interpolators(noisy)
    assert distortion(20.0) == pytest.approx(best(20), abs=0.05)
    assert np.isnan(distortion(100.0))  # the outlier is no end of the curve
    # a rate of zero at several betas, up to noise
    collapsed = pd.DataFrame(
        {"beta": [1.0, 2, 4, 8, 16], "rate": [9.0, 3, 0, 1e-9, 0], "distortion": [5.0, 9, 20, 3, 40]}
    )
    distortion, _ = interpolators(collapsed.assign(error=0.1))
    assert distortion([0.0, 3.0, 9.0]).tolist() == [20, 9, 5]


@pytest.mark.parametrize("points", [0, 1])
def test_a_curve_of_one_point_compares_with_nothing(tmp_path, points):
    leave_whole(tmp_path / "whole", series={name: values[:1] * 3 for name, values in curve().items()})
    leave(tmp_path / "one", "beta_vae", beta=1, metrics=rates(20.0, 12.0))
    frame, runs, rows = read_curves(tmp_path)
    rows = rows.iloc[:points]
    assert at_equal_rate(frame, runs, rows).empty
    assert whole_curve(frame, runs, rows) is None
    assert plane(frame, summary(frame), rows) is not None


@pytest.mark.slow
def test_without_curves_there_is_no_figure(tmp_path):
    leave(tmp_path / "one", "beta_vae", beta=1, metrics=rates(20.0, 12.0))
    frame, runs, rows = read_curves(tmp_path)
    assert rows.empty
    assert whole_curve(frame, runs, rows) is None
    panels = plane(frame, summary(frame), rows)
    assert "small ticks" not in panels.caption
    assert all(layer.get("name") not in ("whole_curve", "strokes") for layer in panels.specs()[0]["layer"])


@pytest.mark.slow
def test_the_figure_and_its_table(study):
    frame, runs, rows = read_curves(study)
    figure = whole_curve(frame, runs, rows)
    (spec,) = figure.specs()
    assert drawn(spec, "points").setting.tolist() == ["beta_vae beta=1", "beta_vae beta=4"]
    assert figure.rows == [
        [
            "runs of one beta",
            "rate (nats)",
            "their distortion (nats)",
            "distortion of the curve (nats)",
            "difference ± s.e. (nats)",
        ],
        ["beta_vae beta=1", "21.50", "9.43", "9.73", "+0.30 ± 0.12"],
        ["beta_vae beta=4", "7.00", "39.86", "40.16", "+0.30 ± 0.12"],
    ]
    assert "Bars are ± standard error over seeds. " in figure.caption
    # runs of the seeds 0 to 2 took 2 to 4 s
    assert "took 45 s for all betas at once, and 6 s for one run of each of the 2 settings shown." in figure.caption
    svg = vl_convert.vegalite_to_svg(figure.picture().to_json(), vl_version=VEGA_LITE)
    assert svg.count(">β 1<") == svg.count(">β 4<") == 1


@pytest.mark.slow
def test_several_curves_have_a_column_of_their_own(study):
    for seed in (0, 1):
        leave_whole(study / f"wide{seed}", seed, curve(-1.0), latent_dim=9)
    frame, runs, rows = read_curves(study)
    figure = whole_curve(frame, runs, rows)
    assert figure.rows[0][1] == "curve"
    assert (
        sorted(row[1] for row in figure.rows[1:]) == ["multi_rate latent_dim=4"] * 2 + ["multi_rate latent_dim=9"] * 2
    )
    assert sorted(row[-1][0] for row in figure.rows[1:]) == ["+", "+", "-", "-"]
    assert "multi_rate latent_dim=9: training took" in figure.caption


@pytest.mark.slow
def test_the_report_has_the_figure_and_its_table(study):
    content = report(read([study]))
    assert list(content.figures)[:2] == ["plane", "whole_curve"]
    text = page(content)
    assert "<td>beta_vae beta=4</td><td>7.00</td><td>39.86</td><td>40.16</td><td>+0.30 ± 0.12</td>" in text
    (study / "whole0" / EVALUATION).unlink()
    (study / "whole1" / EVALUATION).unlink()
    assert "distortion of the curve" not in page(report(read([study])))


@pytest.mark.slow
def test_the_plane_draws_the_mean_curve_and_marks_betas(study):
    frame, _, rows = read_curves(study)
    panels = plane(frame, summary(frame), rows)
    (spec,) = panels.specs()
    line, strokes = drawn(spec, "whole_curve"), drawn(spec, "strokes")
    assert line.beta.tolist() == pytest.approx(BETAS.tolist())
    assert line.distortion.tolist() == pytest.approx((best(line.rate) + 0.4).tolist())
    assert strokes.beta.tolist() == [0.1, 0.2, 0.5, 1, 2, 5, 10, 20]  # the ends too
    assert strokes.rate.tolist() == pytest.approx((10 * np.log1p(8 / strokes.beta)).tolist(), abs=0.1)
    assert "A line with small ticks is a model that was trained for all betas at once" in panels.caption
    low, high = spec["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert low <= line.rate.min() < line.rate.max() <= high


def test_curves_of_other_betas_are_averaged_where_both_are(study):
    whole = curve(0.5)
    record = json.loads((study / "whole1" / FILE).read_text())
    leave_curve(study / "whole1", record["config_hash"], {name: values[20:2:-2] for name, values in whole.items()})
    means = mean_curves(read_curves(study)[2])
    assert means.beta.tolist() == pytest.approx(BETAS[4:21].tolist())
    assert (means.distortion - best(means.rate) - 0.4).abs().max() < 0.2
    assert marks(means).beta.tolist() == [0.5, 1, 2, 5]


@pytest.mark.slow
def test_a_notebook_draws_the_curve_too(study):
    chart = vaesweep.load_study(study).plane().to_dict()
    (panel,) = chart["concat"]
    layers = {layer.get("name"): layer for layer in panel["layer"]}
    assert {"whole_curve", "strokes"} <= set(layers)
    assert len(chart["datasets"][layers["whole_curve"]["data"]["name"]]) == 25

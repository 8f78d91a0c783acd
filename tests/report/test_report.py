"""The report as files, in a terminal, and in a browser."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread, imsave

from compare import main as compare
from support.handmade import leave, rates
from support.nightly import at_night_but
from support.wandb_offline_runs import recorded
from vaesweep.records.evaluation_record import EvaluationRecord
from vaesweep.records.results import Results

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NASTY = "</script><script>console.error('ran')</script> & <b>bold</b>"


def evaluated(folder, **scores):
    """An evaluation of the run in `folder`, as one would leave it."""
    entry = {"settings": {}, "values": {}, "series": {}, "remarks": {}, "figures": [], "seconds": 0.1}
    noise = {"settings": {"corruptions": ["masking"]}, "series": {"level": [0.0, 0.5], "masking": [20.0, 12.0]}}
    values = {name: {"value": score, "unit": "0 to 1"} for name, score in scores.items()}
    told = {"values": values} if scores else {"absent": {"disentanglement": f"no factors {NASTY}"}}
    name = Results.read(folder).config_hash
    measures = {"disentanglement": entry | told, "noise_robustness": entry | noise}
    EvaluationRecord(name, "last", 0, measures=measures).write(folder)


@pytest.fixture
def study(tmp_path):
    """Two rated members over beta with two seeds, two members without a rate in two settings, and a run that failed."""
    folder = tmp_path / "ladder"
    for seed in (0, 1):
        for beta in (0.5, 1, 4):
            for model, worse in (("vae", 0), ("cvae", 2)):
                metrics = rates(8 / beta + seed / 9, 20 + 4 * beta + worse)
                train = {"loss": 30.0, "nelbo": 30.0, "distortion": 20.0, "kl": 8.0}
                leave(folder / f"{model}{beta}{seed}", model, seed, beta=beta, metrics=metrics, train=train)
        for model, term in (("sparse", "sparsity"), ("contractive", "contraction")):
            for weight in (1, 2):
                metrics = {"distortion": 19.0, "mse": 0.02 + seed / 100, term: 3.0 / weight, "active_units": 4}
                leave(folder / f"{model}{weight}{seed}", model, seed, lam=weight, metrics=metrics)
    leave(folder / "failed", "vae", 2, "failed", NASTY, beta=4)
    for seed in (0, 1):
        for beta in (0.5, 1, 4):
            evaluated(folder / f"vae{beta}{seed}", mig=beta / 10 + seed / 100)
        evaluated(folder / f"sparse1{seed}")
    for run in ("vae0.50", "cvae10", "sparse10"):
        for name in ("originals", "reconstructions", *(["samples"] if "vae" in run else [])):
            (folder / run / "examples").mkdir(exist_ok=True)
            imsave(folder / run / "examples" / f"{name}.png", np.full((8, 80), 0.5), cmap="gray", vmin=0, vmax=1)
    return folder


@pytest.mark.slow
def test_a_report_is_a_page_its_figures_and_the_runs(study, capsys):
    assert compare([str(study)]) == 0
    figures = {"plane", "slope", "penalty", "dimensions", "scores", "robustness", "curves", "examples_digits"}
    left = {path.name for path in (study / "report").iterdir()}
    assert left == {f"{name}.png" for name in figures} | {"index.html", "runs.csv"}
    for name in figures:
        picture = imread(study / "report" / f"{name}.png")
        assert min(picture.shape[:2]) > 200
        assert picture[..., :3].std() > 0.05  # something is drawn
    frame = pd.read_csv(study / "report" / "runs.csv")
    assert len(frame) == 21
    assert frame.status.value_counts().to_dict() == {"completed": 20, "failed": 1}
    assert frame["disentanglement/mig"].notna().sum() == 6
    said = capsys.readouterr().out
    assert "vae beta=4, seed 2: failed" in said
    assert re.search(r"report +\S*ladder/report/index.html", said)


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to open the page with")


def in_browser(page, folder):
    """Chromium's messages, and the document after all scripts ran."""
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    quiet = "--disable-component-update --disable-sync --enable-logging=stderr --virtual-time-budget=20000 --dump-dom"
    frames = "--allow-file-access-from-files"
    command = [CHROMIUM, *flags.split(), *quiet.split(), frames, f"--user-data-dir={folder / 'profile'}"]
    return subprocess.run([*command, f"file://{page}"], capture_output=True, text=True, timeout=120)


def ask(page, folder, width, expression):
    """The value of a JavaScript expression of `page`, the document in a frame `width` pixels wide."""
    frame = folder / "frame.html"
    frame.write_text(
        f"""<iframe src="file://{page}" style="border: 0; width: {width}px; height: 900px"></iframe><pre></pre>
        <script>setTimeout(() => {{
          const page = document.querySelector("iframe").contentDocument;
          document.querySelector("pre").textContent = JSON.stringify({expression});
        }}, 15000)</script>"""
    )
    done = in_browser(frame, folder)
    (answer,) = re.findall(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    return json.loads(html.unescape(answer))


@needs_browser
@pytest.mark.slow
def test_the_page_opens_in_a_browser_without_a_network_or_an_error(study, tmp_path):
    assert compare([str(study)]) == 0
    done = in_browser(study / "report" / "index.html", tmp_path)
    assert "CONSOLE" not in done.stderr, done.stderr
    (points,) = re.findall(r'<g class="mark-symbol role-mark runs_marks".*?</g>', done.stdout, re.DOTALL)
    assert points.count("<path") == 12  # the completed runs that have a rate
    for name in ("plane", "slope", "penalty", "dimensions", "scores", "robustness", "curves"):
        assert re.search(rf'id="{name}"[^>]*>.{{0,500}}<svg', done.stdout, re.DOTALL), name
    assert re.search(r"<td>MIG</td><td>0 to 1</td><td>0.0550 ± 0.0050</td>", done.stdout)
    assert "disentanglement (sparse lam=1): no factors &lt;/script&gt;" in done.stdout
    assert "ran" not in re.findall(r"<b>(.*?)</b>", done.stdout)
    assert not re.search(r'(src|href)="(https?:)?//', done.stdout.partition("<script>")[0])


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("width", at_night_but([360], [360, 1600]))
def test_the_page_fits_its_window_and_its_type_can_be_read(study, tmp_path, width):
    leave(study / "long", "vae", beta=1, schedule={"_target_": "a.Long" + "Name" * 20}, metrics=rates(3, 30))
    assert compare([str(study)]) == 0
    found = ask(
        study / "report" / "index.html",
        tmp_path,
        width,
        """{
          scroll: page.documentElement.scrollWidth,
          beyond: [...page.querySelectorAll("svg.marks, img, p, li")].map(e => e.getBoundingClientRect().right),
          charts: page.querySelectorAll("svg.marks").length,
          type: [...page.querySelectorAll("text, td, th, p, li, code, .label, .head")]
            .map(e => parseFloat(page.defaultView.getComputedStyle(e).fontSize))
        }""",
    )
    assert found["scroll"] <= width
    assert max(found["beyond"]) <= width
    assert found["charts"] >= 10
    assert min(found["type"]) >= 13


@needs_browser
@pytest.mark.slow
@pytest.mark.nightly
def test_a_click_on_a_heading_sorts(study, tmp_path):
    assert compare([str(study)]) == 0
    clicks = """(() => {
      const heads = [...page.querySelectorAll(".settings th")], states = [];
      const column = heads.findIndex(th => th.textContent.startsWith("KL"));
      const record = () => states.push([
        heads.map(th => th.getAttribute("aria-sort")).filter(Boolean),
        heads.findIndex(th => th.getAttribute("aria-sort")) === column,
        [...page.querySelectorAll(".settings tbody tr")].map(tr => tr.children[column].textContent)]);
      record();
      for (const i of [column, column, 0, column]) { heads[i].querySelector("button").click(); record(); }
      return states;
    })()"""
    start, up, down, setting, again = ask(study / "report" / "index.html", tmp_path, 1000, clicks)
    assert start[:2] == [["ascending"], False]
    assert setting == start
    assert up[:2] == again[:2] == [["ascending"], True]
    assert down[:2] == [["descending"], True]
    ordered = [float(text.split()[0]) for text in up[2] if text]
    assert ordered == sorted(ordered)
    assert [float(text.split()[0]) for text in down[2] if text] == ordered[::-1]
    assert up[2][-4:] == down[2][-4:] == [""] * 4  # sparse and contractive have no rate
    assert again == up


@pytest.mark.slow
def test_two_studies_are_laid_over_each_other(study, tmp_path):
    other = tmp_path / "other"
    leave(other / "x", "vae", beta=1, metrics=rates(7, 22))
    assert compare([str(study), str(other)]) == 0
    frame = pd.read_csv(study / "report_with_other" / "runs.csv")
    assert {"ladder", "other"} == set(frame.study)


@pytest.mark.slow
def test_a_report_of_a_single_run_leaves_out_what_cannot_be_drawn(tmp_path):
    leave(tmp_path / "run", "ae", metrics={"distortion": 3.0, "mse": 0.1, "active_units": 4})
    assert compare([str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"index.html", "runs.csv", "dimensions.png"}


def test_nothing_to_report_is_said_and_leaves_nothing(tmp_path, capsys):
    assert compare([str(tmp_path), str(tmp_path / "nowhere")]) == 1
    errors = capsys.readouterr().err
    assert f"error: {tmp_path}: no runs in it" in errors
    assert f"error: {tmp_path / 'nowhere'}: no such folder" in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_report_is_recorded_as_one_run_of_the_studys_group(study):
    assert compare([str(study), "--wandb"]) == 0
    run = recorded(study / "report")
    assert (run["name"], run["tags"], run["exit_code"]) == ("report ladder", ["report"], 0)
    assert {"runs", "report/page", "report/plane", "report/examples_digits"} <= set(run["summary"])


@pytest.mark.slow
def test_a_dashboard_is_published_for_the_studys_group(study, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(
        "vaesweep.report.wandb_dashboard.publish", lambda *given: asked.append(given) or "https://wandb.example/view"
    )
    assert compare([str(study), "--dashboard", "me", "--project", "thesis"]) == 0
    ((*named, declarations),) = asked
    assert named == ["me", "thesis", "ladder"]
    assert {declared.rate for declared in declarations} == {"kl", None}
    assert "dashboard  https://wandb.example/view" in capsys.readouterr().out

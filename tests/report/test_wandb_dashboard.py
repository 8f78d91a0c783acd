"""A study in W&B: what the view shows, and that runs log it; what a server gets."""

import json
import subprocess
import sys

import pytest
import wandb

from support.commands import PATIENCE
from support.handmade import leave, rates
from support.paths import ROOT
from support.wandb_offline_runs import recorded
from support.wandb_server import WandbServer
from vaesweep.errors import ConfigError
from vaesweep.models import Declaration
from vaesweep.report.run_collection import read
from vaesweep.report.wandb_dashboard import declarations, publish, workspace
from vaesweep.training.run_and_record import run

BETA_VAE = Declaration(terms={"kl": "nats per image"}, rate="kl", rate_weight="beta")
STUDY = "2026-01-31_12-00-00-000000_beta_ladder"


def section(study):
    """What W&B stores of a view."""
    return json.loads(workspace("me", "vaesweep", study, [BETA_VAE])._to_model().model_dump_json(by_alias=True))[
        "spec"
    ]["section"]


def panels(study, kind):
    """The settings of the panels of a kind."""
    found = [panel for part in section(study)["panelBankConfig"]["sections"] for panel in part["panels"]]
    return [panel["config"] for panel in found if panel["viewType"] == kind]


def accessors(study):
    """Every metric, setting and figure that a panel names: KIND:KEY."""
    for plot in panels(study, "Scatter Plot"):
        yield from (plot[axis] for axis in ("xAxis", "yAxis", "zAxis") if plot[axis])
    for plot in panels(study, "Parallel Coordinates Plot"):
        yield from (column["accessor"] for column in plot["columns"])
    for plot in panels(study, "Run History Line Plot"):
        yield from (f"summary:{key}" for key in (plot["xAxis"], *plot["metrics"]))
        yield f"config:{plot['groupBy']}"
    for browser in panels(study, "Media Browser"):
        yield from (f"summary:{key}" for key in browser["mediaKeys"])
    yield from (key for key in section(study)["runSets"][0]["runFeed"]["columnOrder"] if key != "run:displayName")


@pytest.mark.slow
def test_the_plane_has_kl_on_x_distortion_on_y_and_beta_as_colour():
    plane, used = panels(STUDY, "Scatter Plot")
    axes = ("xAxis", "yAxis", "zAxis")
    assert [plane[axis] for axis in axes] == ["summary:test/kl", "summary:test/distortion", "config:model.value.beta"]
    assert [used[axis] for axis in axes] == ["summary:test/active_units", "summary:test/mse", None]
    assert "nats per image" in plane["chartTitle"]
    offsets = [point["offset"] for point in plane["customGradient"]]
    assert (offsets[0], offsets[-1], offsets) == (0, 100, sorted(offsets))


def test_a_weight_that_is_no_setting_is_no_colour(tmp_path):
    leave(tmp_path / "a", "vae", metrics=rates(3, 9))  # of a plain VAE, whose beta is 1
    leave(tmp_path / "b", "beta_vae", beta=4, metrics=rates(2, 11))
    assert [each.rate_weight for each in declarations(read([tmp_path]).runs)] == [None, "beta"]


def test_the_last_column_colours_the_parallel_coordinates():
    (plot,) = panels(STUDY, "Parallel Coordinates Plot")
    keys = [column["accessor"] for column in plot["columns"]]
    settings = ["config:model.value.beta", "config:model.value.latent_dim", "config:seed.value"]
    assert keys == settings + [f"summary:test/{name}" for name in ("kl", "distortion", "mse", "nelbo")]


def test_plane_curves_and_media_are_open():
    sections = section(STUDY)["panelBankConfig"]["sections"]
    assert [part["name"] for part in sections if part["isOpen"]] == ["Rate and distortion", "Curves", "Figures"]
    assert [part["name"] for part in sections][:3] == ["Rate and distortion", "Curves", "Figures"]
    shown = {name for plot in panels(STUDY, "Run History Line Plot") for name in plot["metrics"]}
    assert {"val/loss", "val/kl", "train/loss", "lr", "beta"} <= shown


@pytest.mark.slow
def test_every_key_in_a_panel_is_one_that_a_run_logs(config, tmp_path):
    run(config("model=beta_vae", "trainer.max_epochs=2", "callbacks=default", "logger.wandb.mode=offline"))
    kept = recorded(tmp_path / "run")
    named = list(accessors(STUDY))
    assert {"summary:val/loss", "summary:figures/samples", "summary:trainer/global_step"} <= set(named)
    for accessor in named:
        kind, key = accessor.split(":")
        if kind == "summary":
            assert key in kept["summary"], key
        else:
            assert kind == "config"
            name, _, inner = key.partition(".value")
            setting = kept["config"][name]
            assert (setting[inner[1:]] if inner else setting) is not None


@pytest.mark.parametrize("study", [STUDY, "o'brien \"s\" a=1 <2> \\x Config('a') within_last 5 days, ä"])
def test_the_runs_are_those_of_the_study(study):
    (runs,) = section(study)["runSets"]
    rule, kind = runs["filters"]["filters"]
    assert (rule["key"], rule["op"], rule["value"]) == ({"section": "run", "name": "group"}, "=", study)
    assert (kind["key"]["name"], kind["op"], kind["value"]) == ("jobType", "NIN", ["evaluate", "report"])
    assert runs["grouping"] == []
    assert {plot["groupBy"] for plot in panels(study, "Run History Line Plot")} == {"model.value.beta"}


def test_without_a_study_all_runs_are_shown_each_by_itself():
    (kind,) = section(None)["runSets"][0]["filters"]["filters"]
    assert kind["key"]["name"] == "jobType"
    assert {plot["groupBy"] for plot in panels(None, "Run History Line Plot")} == {None}
    assert workspace("me", "vaesweep").name == "Rate and distortion"


def test_without_a_key_it_is_refused_at_once(monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", "/nonexistent")
    wandb.teardown()  # an earlier run of this process was offline, which W&B remembers
    with pytest.raises(
        ConfigError, match=r"^mode: got online without an API key; allowed: online after `wandb login`$"
    ):
        publish("me", "vaesweep", STUDY, [BETA_VAE])


def test_without_wandb_workspaces_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    with pytest.raises(
        ConfigError, match=r"^dashboard: got no wandb-workspaces; allowed: .*pip install -e \.\[dashboard\]$"
    ):
        publish("me", "vaesweep", STUDY, [BETA_VAE])


class Views(WandbServer):
    """Keeps the views of the project vaesweep that it is sent."""

    def receive(self, path, content):
        if b"UpsertView2" not in content:
            return super().receive(path, content)
        given = json.loads(content)["variables"]
        if given["projectName"] != "vaesweep":
            return {"errors": [{"message": "no such project"}]}
        self.views = [*getattr(self, "views", []), given]
        return {"data": {"upsertView": {"view": {"id": "6", "name": given["name"]}, "inserted": True}}}


def published(server, project="vaesweep", patience=20):
    """What `publish` returned or refused with, in a process of its own, because W&B keeps its server for good."""
    code = (
        "from vaesweep import errors\nfrom vaesweep.report import wandb_dashboard\n"
        f"try: print(wandb_dashboard.publish('me', {project!r}, {STUDY!r}))\n"
        "except errors.ConfigError as refusal: print(refusal)"
    )
    env = server.environment | {"PYTHONPATH": str(ROOT / "src"), "WANDB_HTTP_TIMEOUT": str(patience)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    return line


@pytest.mark.slow
def test_the_server_gets_the_specification_and_its_address_comes_back(tmp_path):
    with Views(tmp_path) as server:
        address = published(server)
        (view,) = server.views
    assert (view["entityName"], view["projectName"]) == ("me", "vaesweep")
    assert view["displayName"] == f"Rate and distortion: {STUDY}"
    assert json.loads(view["spec"])["section"]["runSets"][0]["filters"]["filters"][0]["value"] == STUDY
    assert address == f"{server.url}/me/vaesweep?nw={view['name'].removeprefix('nw-').removesuffix('-v')}"


@pytest.mark.slow
def test_a_view_that_the_server_does_not_take_is_refused_in_one_line(tmp_path):
    with Views(tmp_path) as server:
        refusal = published(server, "other")
    assert refusal.startswith("dashboard: got me/other (")
    assert refusal.endswith("no such project); allowed: a project of yours on a server that answers")


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_not_waited_for(tmp_path):
    with Views(tmp_path) as server:
        pass
    refusal = published(server, patience=1)
    assert refusal.startswith(f"dashboard: got me/vaesweep (Failed to verify credentials with {server.url}")

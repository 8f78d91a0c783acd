"""Tables for terminals of any width."""

import pytest

from compare import main as compare
from support.handmade import leave, rates
from vaesweep.report.print_study import print_study


@pytest.mark.slow
def test_what_compare_prints_can_be_read_without_the_report(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("COLUMNS", "80")
    leave(tmp_path / "collapsed", beta=16, metrics=rates(0, 29, active=0), images={"distortion": [28.0, 30.0]})
    leave(tmp_path / "fine", beta=1, metrics=rates(5, 20), images={"distortion": [19.0, 21.0]})
    assert compare([str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said[0] != "\n"  # where a bar would have been in a terminal
    places = [
        said.index(text)
        for text in (
            "From beta 16 to 1, ",
            "beta_vae beta=1 ",
            "nelbo = distortion + KL",
            "*: the lowest of a column",
            "before you believe it:\n- beta_vae beta=16: posterior collapse",
            "report     ",
        )
    ]
    assert places == sorted(places)


def test_the_best_numbers_are_bold_in_a_terminal_and_have_a_star_in_a_file(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("COLUMNS", "80")
    for beta, distortion in ((1, 20), (4, 30)):
        images = {"distortion": [distortion - 1.0, distortion + 1.0]}
        leave(tmp_path / f"beta{beta}", beta=beta, metrics=rates(5, distortion), images=images)
    print_study(tmp_path)
    in_a_file = capsys.readouterr().out
    assert "*20.00 ± 1.00" in in_a_file
    assert "30.00 ± 1.00" in in_a_file
    assert "*30.00" not in in_a_file
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_study(tmp_path)
    in_a_terminal = capsys.readouterr().out
    assert "\x1b[1m20.00 ± 1.00" in in_a_terminal
    assert "\x1b[1m30.00" not in in_a_terminal
    assert "Bold: the lowest of a column" in in_a_terminal
    assert "*" not in in_a_terminal


def test_a_long_setting_goes_on_in_the_next_line_and_no_number_is_cut(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("COLUMNS", "80")
    for beta, width in ((1, 64), (4, 64), (1, 1024), (4, 1024)):
        knobs = {"hidden_units_of_the_encoder": [width, width], "activation_function": f"LeakyReLU{width}"}
        images = {"distortion": [123.0, 125.0]}
        leave(tmp_path / f"{beta}_{width}", beta=beta, metrics=rates(50 / beta, 124), images=images, **knobs)
    print_study(tmp_path)
    said = capsys.readouterr().out
    assert "…" not in said
    assert said.count("124.00 ± 1.00") == 4
    assert said.count("beta=4") == 2
    assert max(len(line) for line in said.split("\n") if not line.startswith("compare")) <= 80


def test_a_name_is_printed_as_it_is(monkeypatch, capsys, tmp_path):
    leave(tmp_path / ":warning:" / "a", beta=1, metrics=rates(5, 20))
    print_study(tmp_path / ":warning:")
    assert "/:warning:" in capsys.readouterr().out


def test_a_study_without_a_completed_run_has_no_table(capsys, tmp_path):
    leave(tmp_path / "a", status="failed", reason="no memory", metrics={})
    assert compare([str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "standard error" not in said
    assert "failed: no memory" in said


def test_a_folder_that_is_missing_is_said_and_the_others_are_compared(capsys, tmp_path):
    leave(tmp_path / "study" / "a", beta=1, metrics=rates(5, 20))
    assert compare([str(tmp_path / "study"), str(tmp_path / "typo")]) == 1
    assert "typo: no such folder" in capsys.readouterr().out
    assert (tmp_path / "study" / "report" / "index.html").is_file()

"""The script that draws charts is bundled once, and a report does without a cache."""

import pytest

from vaesweep.report.vega_bundle import vega_bundle


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and a bundler that counts."""
    monkeypatch.setattr("vaesweep.report.vega_bundle.user_cache_path", lambda name: tmp_path / name)
    calls = []

    def bundled(snippet, vl_version):
        calls.append(vl_version)
        return f"script {len(calls)}: {snippet}"

    monkeypatch.setattr("vl_convert.javascript_bundle", bundled)
    return tmp_path / "vaesweep"


def test_it_is_made_once_for_each_version(cache, monkeypatch):
    first = vega_bundle()
    assert first == "script 1: window.vegaEmbed = vegaEmbed;"
    assert vega_bundle() == first
    (kept,) = cache.iterdir()
    assert kept.read_text() == first
    monkeypatch.setattr("vaesweep.report.vega_bundle.version", lambda package: "99.0")
    assert vega_bundle().startswith("script 2: ")


def test_a_cache_that_cannot_be_read_or_written_is_done_without(cache):
    cache.write_text("a file where the folder should be")
    assert [vega_bundle()[:8], vega_bundle()[:8]] == ["script 1", "script 2"]


def test_a_cache_that_is_no_text_is_made_anew(cache):
    vega_bundle()
    (kept,) = cache.iterdir()
    kept.write_bytes(b"\xff\xfe\xff")
    assert vega_bundle().startswith("script 2: ")
    assert vega_bundle().startswith("script 2: ")

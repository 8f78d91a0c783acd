"""The JavaScript that draws the charts of a page, kept in the user's cache: bundling it takes seconds."""

import os
from contextlib import suppress
from importlib.metadata import version
from uuid import uuid4

import altair as alt
import vl_convert
from platformdirs import user_cache_path

from vaesweep.atomic_files import atomically

VEGA_LITE = ".".join(alt.SCHEMA_VERSION.split(".")[:2])
"""The version of Vega-Lite that the charts are written in."""


def vega_bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script, after which a page has `window.vegaEmbed`."""
    path = user_cache_path("vaesweep") / f"vega_lite_{VEGA_LITE}_vl_convert_{version('vl-convert-python')}.js"
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="utf-8")
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    # a name of its own, because other processes may write it at the same time
    new = path.with_name(f"{path.name}.{uuid4().hex}")
    with suppress(OSError):
        with atomically(new) as unfinished:
            unfinished.write_text(bundle, encoding="utf-8")
        os.replace(new, path)
    return bundle

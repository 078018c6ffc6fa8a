"""The site builds without a warning, links and all, and needs nothing from another host."""

import re
import subprocess
import sys

import pytest

from docs_pages import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for name in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(name, reason="needs pip install 'bertsmith[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return folder


def test_nothing_comes_from_another_host(site):
    loaded = re.compile(
        r'<(?:script|img|iframe|link rel="stylesheet")[^>]*(?:src|href)="(https?:[^"]+)'
    )
    for page in site.rglob("*.html"):
        assert not loaded.findall(page.read_text(encoding="utf-8")), page


def test_placeholders_are_filled(site):
    prepare = (site / "commands" / "prepare.html").read_text(encoding="utf-8")
    assert "<code>--near-duplicate-similarity</code>" in prepare
    pretrain = (site / "commands" / "pretrain.html").read_text(encoding="utf-8")
    assert "<code>training.held_out_fraction</code>" in pretrain


def test_the_interface_is_there(site):
    store = (site / "reference" / "store.html").read_text(encoding="utf-8")
    for name in ("write_store", "append_to_store", "TokenStore.gather"):
        assert f'id="bertsmith.store.{name}"' in store

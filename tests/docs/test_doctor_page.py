"""docs/doctor.md names every finding, and every finding is planted in a test."""

import re
from pathlib import Path

import pytest

import bertsmith.doctor

DOCS = Path(__file__).parents[2] / "docs" / "doctor.md"
TESTS = Path(__file__).parents[1] / "contract"
SECTIONS = {
    "corpus": ("## Findings about a corpus", "corpus_checks"),
    "vocab": ("## Findings about a vocabulary", "vocabulary_checks"),
    "store": ("## Findings about a store", "store_checks"),
    "run": ("## Findings about a run", "run_checks"),
}
# Where what is planted stands, beside the tests.
PLANTED_IN = {
    "corpus": "doctor_corpora.py",
    "vocab": "doctor_vocabularies.py",
    "store": "doctor_stores.py",
    "run": "doctor_runs.py",
}


def documented(heading):
    section = DOCS.read_text().split(heading)[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def in_source(folder):
    files = (Path(bertsmith.doctor.__file__).parent / folder).glob("*.py")
    source = "".join(path.read_text() for path in files)
    return set(re.findall(r'(?:Finding|self\._finding)\(\s*"(\w+)"', source))


@pytest.mark.parametrize("kind", SECTIONS)
def test_the_page_names_every_finding(kind):
    heading, folder = SECTIONS[kind]
    names = documented(heading)
    assert len(names) == len(set(names))
    assert set(names) == in_source(folder)


@pytest.mark.parametrize("kind", SECTIONS)
def test_every_finding_is_planted(kind):
    planted = (TESTS / f"test_doctor_{kind}.py").read_text()
    planted += (TESTS.parent / PLANTED_IN[kind]).read_text()
    missing = [name for name in in_source(SECTIONS[kind][1]) if f'"{name}"' not in planted]
    assert missing == []

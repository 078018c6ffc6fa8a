"""Findings on disk."""

import numpy as np
import pytest

from bertsmith.corpus import DroppedDocument, Findings, RepeatedLine
from bertsmith.corpus.findings import Dropped
from bertsmith.errors import CorpusError

REASONS = ("duplicate_documents", "near_duplicate_documents")
FINDINGS = Findings(
    Dropped(np.array([0, 1, 0, 2, 1], np.uint8), REASONS),
    frozenset({1, 2**64 - 1}),
    5,
    (RepeatedLine("Alle Rechte vorbehalten — 版权所有", 40),),
    (DroppedDocument("near_duplicate_documents", "b", "a.txt:9", "", "a.txt:1", 0.9),),
)


@pytest.mark.parametrize("findings", [FINDINGS, Findings(), Findings({3: "duplicate_documents"})])
def test_findings_come_back(tmp_path, findings):
    path = tmp_path / "findings"
    findings.save(path)
    assert Findings.load(path) == findings
    assert list(tmp_path.iterdir()) == [path]


def test_dropped_is_a_mapping():
    dropped = FINDINGS.dropped
    assert dict(dropped) == {1: REASONS[0], 3: REASONS[1], 4: REASONS[0]}
    assert [dropped.get(number) for number in (-1, 0, 1, 5)] == [None, None, REASONS[0], None]
    assert len(dropped) == 3
    assert 3 in dropped
    assert 0 not in dropped
    with pytest.raises(KeyError):
        dropped[2]


def test_a_damaged_file_is_told(tmp_path):
    path = tmp_path / "findings"
    FINDINGS.save(path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(CorpusError, match=r"findings: is damaged.*; delete it"):
            Findings.load(path)
    for length in (0, 10, 30, 60, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CorpusError, match="damaged"):
            Findings.load(path)
    with pytest.raises(CorpusError, match="cannot be read"):
        Findings.load(tmp_path / "missing")


def test_findings_are_told_in_lines():
    assert FINDINGS.describe() == [
        "in 40 documents: Alle Rechte vorbehalten — 版权所有",
        "'b' (a.txt:9) is dropped for a.txt:1 (90% alike)",
    ]
    assert FINDINGS.describe(0) == []

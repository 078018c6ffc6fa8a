"""Token ids against google-research/bert's own answers, as record_google_tokens.py kept them."""

import json
import os
import unicodedata
from pathlib import Path

import pytest

from bertsmith.wordpiece import Tokenizer, Vocabulary
from golden.wordpiece.record_google_tokens import (
    REAL_TEXT,
    code_point_hashes,
    code_point_vocabulary,
    golden_path,
    line_hashes,
    real_lines,
)


@pytest.fixture(scope="module")
def golden() -> dict:
    if not golden_path().is_file():
        pytest.skip(f"nothing is recorded for Unicode {unicodedata.unidata_version}")
    return json.loads(golden_path().read_text())


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(code_point_vocabulary())


@pytest.mark.parametrize("casing", ["uncased", "cased"])
def test_every_assigned_code_point_alone_and_inside_a_word(golden, vocabulary, casing):
    tokenizer = Tokenizer(vocabulary, lowercase=casing == "uncased")
    assert code_point_hashes(tokenizer.token_ids) == golden["code_points"][casing]


@pytest.mark.slow
@pytest.mark.skipif("BERTSMITH_DATA" not in os.environ, reason="needs the real data")
@pytest.mark.parametrize("case", range(len(REAL_TEXT)), ids=[f"{c}-{v}" for c, v, _ in REAL_TEXT])
def test_ten_thousand_lines_of_real_text(golden, case):
    data, recorded = Path(os.environ["BERTSMITH_DATA"]), golden["real_text"][case]
    path = data / "vocab" / f"{recorded['vocabulary']}.txt"
    tokenizer = Tokenizer(path, lowercase=recorded["lowercase"])
    lines = list(real_lines(data, recorded["corpus"]))
    assert len(lines) == 10_000
    assert line_hashes(tokenizer.token_ids, iter(lines)) == recorded["hashes"]
    assert line_hashes(lambda line: tokenizer.pieces(line).ids, iter(lines)) == recorded["hashes"]

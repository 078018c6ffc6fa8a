"""What cleaning finds in Wikipedia."""

import os
from collections import Counter
from pathlib import Path

import pytest

from bertsmith._parallel import Workers
from bertsmith.corpus import CleaningSettings, CorpusSettings, open_corpus
from planted import jaccard, shingles

DATA = os.environ.get("BERTSMITH_DATA")


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason="BERTSMITH_DATA names no folder")
def test_near_duplicates_of_wikipedia_are_alike():
    cleaning = CleaningSettings(
        control_characters=True, duplicates="near", boilerplate_documents=10, only_language="en"
    )
    path = Path(DATA) / "pretrain" / "wiki_en.jsonl.zst"
    corpus = open_corpus(path, CorpusSettings(cleaning=cleaning))
    findings = corpus.survey(Workers(2))
    assert 20 < len(findings.dropped) < 0.005 * findings.num_documents
    examples = [one for one in findings.dropped_documents if one.reason.startswith("near")]
    wanted = {one.where for one in examples} | {one.kept_where for one in examples}
    texts = {raw.where: raw.text for raw in open_corpus(path) if raw.where in wanted}
    for one in examples:
        truth = jaccard(shingles(texts[one.where]), shingles(texts[one.kept_where]))
        assert abs(truth - one.similarity) < 0.15
        assert one.similarity >= 0.8
    counts = Counter()
    sample = [raw for _, raw in zip(range(3000), corpus, strict=False)]
    kept = [corpus.refiner.plain(raw, counts) for raw in sample]
    assert counts["documents_in_other_languages"] < 0.005 * len(sample)
    assert sum(plain is not None for plain in kept) > 0.99 * len(sample)

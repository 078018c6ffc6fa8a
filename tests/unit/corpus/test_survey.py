"""Duplicates and boilerplate: what stands in the whole corpus."""

import random
import sys
import tempfile
from collections import Counter

import pytest

from bertsmith._parallel import Workers
from bertsmith.corpus import CLEAN, CleaningSettings, CorpusSettings, open_corpus
from bertsmith.corpus.findings import DroppedDocument, RepeatedLine
from bertsmith.errors import CorpusError
from planted import changed, words, write_jsonl

FOOTER = "All rights reserved by the publisher."


def corpus_of(path, **cleaning):
    settings = CorpusSettings(cleaning=CleaningSettings(**cleaning))
    return open_corpus(path, settings)


def look(tmp_path, texts, **cleaning):
    return corpus_of(write_jsonl(tmp_path / "a.jsonl", texts), **cleaning).survey(Workers(1))


def test_the_first_of_equal_texts_stays(tmp_path):
    texts = ["It rains.\nWe stay.", "It pours.", " It  rains. We stay.\n", "it rains. We stay."]
    findings = look(tmp_path, texts, duplicates="exact")
    assert dict(findings.dropped) == {2: "duplicate_documents"}
    where = tmp_path / "a.jsonl"
    assert findings.dropped_documents == (
        DroppedDocument("duplicate_documents", "2", f"{where}:3", "0", f"{where}:1", 1.0),
    )
    assert findings.num_documents == 4


def test_lines_that_stand_in_enough_documents_are_boilerplate(tmp_path):
    rng = random.Random(0)
    rare = "Nothing of this site may be copied."
    texts = [" ".join(words(rng, 20)) + (f"\n{FOOTER}" if n < 12 else "") for n in range(30)]
    texts[0] += f"\n{rare}" * 20  # often, but in few documents
    texts[1:11] = [f"{rare}\n{text}" for text in texts[1:11]]
    findings = look(tmp_path, texts, boilerplate_documents=12)
    assert findings.repeated_lines == (RepeatedLine(FOOTER, 12),)
    assert len(findings.boilerplate) == 1
    both = look(tmp_path, texts, boilerplate_documents=11)
    assert both.repeated_lines == (RepeatedLine(FOOTER, 12), RepeatedLine(rare, 11))
    assert not look(tmp_path, texts, boilerplate_documents=13).boilerplate
    assert not look(tmp_path, texts, boilerplate_documents=11, boilerplate_min_bytes=40).boilerplate


def test_duplicates_do_not_make_their_own_lines_boilerplate(tmp_path):
    rng = random.Random(1)
    page = "\n".join(" ".join(words(rng, 12)) for _ in range(20))
    near = [changed(rng, page, 3) for _ in range(10)]
    texts = [page] * 15 + near
    for kind, num_lines in (("keep", 20), ("exact", 20), ("near", 0)):
        findings = look(tmp_path, texts, boilerplate_documents=5, duplicates=kind)
        assert len(findings.boilerplate) == num_lines
    findings = look(tmp_path, texts[:15], boilerplate_documents=2, duplicates="exact")
    assert (len(findings.dropped), len(findings.boilerplate)) == (14, 0)


def test_what_was_found_is_left_out_and_counted(tmp_path):
    rng = random.Random(2)
    texts = [f"{' '.join(words(rng, 20))}.\n{FOOTER}" for _ in range(12)]
    texts += [FOOTER, texts[3], "Short.", f"Shorter\u200b.\n{FOOTER}"]
    corpus = open_corpus(write_jsonl(tmp_path / "a.jsonl", texts), CorpusSettings(cleaning=CLEAN))
    documents = list(corpus.documents())
    assert [document.title for document in documents] == [str(n) for n in range(12)]
    assert all(FOOTER not in document.sentences for document in documents)
    assert corpus.counts == {
        "boilerplate_lines": 14,
        "documents_of_boilerplate": 1,
        "duplicate_documents": 1,
        "short_documents": 2,
        "control_characters": 1,
    }


def test_documents_that_are_dropped_anyway_do_not_stand_for_others(tmp_path):
    """Else the shorter one would be dropped for its length, and the longer one for the shorter."""
    rng = random.Random(3)
    text = " ".join(words(rng, 100))
    findings = look(
        tmp_path, [text, f"{text} more"], duplicates="near", min_document_chars=len(text) + 1
    )
    assert not findings.dropped


def mixed_texts():
    rng = random.Random(4)
    texts = [f"{' '.join(words(rng, 300))}\n{FOOTER}" for _ in range(60)]
    for _ in range(60):
        first = rng.choice(texts)
        texts.insert(rng.randrange(len(texts)), rng.choice([first, changed(rng, first, 1)]))
    for place in (70, 30, 0):
        texts.insert(place, "Short.")  # dropped for that, and nothing else
    return texts


def test_findings_depend_neither_on_workers_nor_on_chunks(tmp_path, monkeypatch):
    path = write_jsonl(tmp_path / "a.jsonl", mixed_texts())
    cleaning = {"duplicates": "near", "boilerplate_documents": 20, "min_document_chars": 9}
    found = [corpus_of(path, **cleaning).survey(Workers(1))]
    module = sys.modules["bertsmith.corpus.survey"]
    for size in (1, 3000):
        monkeypatch.setattr(module, "_CHUNK_CHARS", size)
        found.append(corpus_of(path, **cleaning).survey(Workers(1)))
    found += [corpus_of(path, **cleaning).survey(Workers(number)) for number in (2, 3)]
    assert all(findings == found[0] for findings in found)
    reasons = Counter(found[0].dropped.values())
    assert sum(reasons.values()) == 60
    assert all(reasons.values())
    assert found[0].repeated_lines == (RepeatedLine(FOOTER, 60),)
    assert len(found[0].dropped_documents) == 20


def test_going_on_gives_the_same_documents_and_counts(tmp_path):
    texts = mixed_texts()[:60]
    texts[7] += "\u200b"
    for number, part in enumerate((texts[:25], texts[25:26], texts[26:])):
        write_jsonl(tmp_path / f"{number}.jsonl", part)
    cleaning = {"duplicates": "near", "boilerplate_documents": 10, "control_characters": True}
    corpus = corpus_of(tmp_path, **cleaning)
    refiner = corpus.refiner

    def refined(reading, position_after):
        for raw in reading:
            counts = Counter()
            position_after.append(corpus.position)
            yield refiner.plain(raw, counts), counts

    positions = []
    whole = list(refined(corpus.read(), positions))
    final = Counter(corpus.counts)
    assert final["duplicate_documents"] > 0 < final["near_duplicate_documents"]
    again = corpus_of(tmp_path, **cleaning)
    again.findings = corpus.findings
    for number, position in enumerate(positions, 1):
        assert list(refined(again.read(position), [])) == whole[number:]
        assert again.counts == final


def test_mark_up_is_no_difference(tmp_path):
    pages = [
        "'''Rain''' falls from [[cloud]]s.",
        "Rain falls from [[cloud|clouds]].",
        "Snow falls.",
    ]
    dump = "".join(
        f"<page><title>{n}</title><ns>0</ns><revision><text>{page}</text></revision></page>\n"
        for n, page in enumerate(pages)
    )
    (tmp_path / "a.xml").write_text(f'<mediawiki xml:lang="en">{dump}</mediawiki>')
    findings = corpus_of(tmp_path, duplicates="exact").survey(Workers(1))
    assert dict(findings.dropped) == {1: "duplicate_documents"}


def test_standard_input_is_refused_before_it_is_read():
    with pytest.raises(CorpusError, match=r"^standard input: .*once.*; save the text in a file$"):
        corpus_of("-", duplicates="exact")
    assert corpus_of("-", min_document_chars=3) is not None


def test_no_room_for_notes_is_told_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(CorpusError, match=r"missing: cannot keep notes .*TMPDIR$"):
        look(tmp_path, ["It rains."], duplicates="exact")


def test_a_broken_corpus_stops_the_survey_and_can_be_tried_again(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "It rains."}\n{"text": \n')
    corpus = corpus_of(path, duplicates="exact")
    for _ in range(2):
        with pytest.raises(CorpusError, match=r"a\.jsonl:2"):
            corpus.survey(Workers(1))
    assert corpus.findings is None


def test_a_missing_library_is_told_before_anything_is_read(tmp_path, monkeypatch):
    path = write_jsonl(tmp_path / "a.jsonl", ["It rains."])
    monkeypatch.setitem(sys.modules, "rensa", None)
    with pytest.raises(CorpusError, match=r"pip install 'bertsmith\[dedup\]'"):
        corpus_of(path, duplicates="near")

"""What holds for every text format; a new one is found by itself."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bertsmith.corpus import CorpusSettings, Document, Refiner, open_corpus
from bertsmith.corpus.formats import format_names, needs_seeking
from bertsmith.errors import CorpusError
from corpus_files import COMPRESS, WRITERS, read_bytes

FORMATS = pytest.mark.parametrize("name", format_names())
KNOWN = [
    Document("Rain", ["The rain had only ceased.", "It was late when Mr. Beard rose."]),
    Document("", ["One sentence alone."]),
    Document("雨", ["雨停了。", "Très tard, l'été."]),
    *(Document(f"n {n}", [f"Sentence {n} of many stands here."] * 3) for n in range(5)),
]


def bytes_of(name, documents):
    assert name in WRITERS, f"tests/corpus_files.py says how to write every format, but not {name}"
    return WRITERS[name](documents)


def documents_of(name, data, **options):
    refine = Refiner(CorpusSettings()).document
    return [refine(raw, Counter()) for raw in read_bytes(data, name, **options)]


@FORMATS
def test_known_documents_come_back(name):
    titled = documents_of(name, bytes_of(name, KNOWN))
    assert [document.sentences for document in titled] == [d.sentences for d in KNOWN]
    expected = [""] * len(KNOWN) if name == "txt" else [document.title for document in KNOWN]
    assert [document.title for document in titled] == expected


@FORMATS
@pytest.mark.parametrize("compression", ["", *COMPRESS])
def test_known_documents_come_back_from_a_file(tmp_path, name, compression):
    data = bytes_of(name, KNOWN)
    path = tmp_path / f"a.{name}{compression}"
    path.write_bytes(COMPRESS[compression](data) if compression else data)
    if compression and needs_seeking(name):
        with pytest.raises(CorpusError, match="unpack it first"):
            open_corpus(path)
        return
    found = [document.sentences for document in open_corpus(path).documents()]
    assert found == [document.sentences for document in KNOWN]


@FORMATS
def test_where_a_document_starts_is_told(name):
    found = [raw.where for raw in read_bytes(bytes_of(name, KNOWN[:3]), name)]
    expected = {"txt": [1, 4, 6], "xml": [2, 5, 6]}.get(name, [1, 2, 3])
    assert found == [f"a.{name}:{line}" for line in expected]


@FORMATS
def test_a_nul_is_an_error_or_dropped(name):
    data = bytes_of(name, [KNOWN[1], Document("", ["Nuls \0in the \0middle."])])
    with pytest.raises(CorpusError, match=rf"a\.{name}:[23]: has a NUL byte.*--errors replace"):
        read_bytes(data, name)
    counts = Counter()
    found = documents_of(name, data, errors="replace", counts=counts)
    assert found[1].sentences == ["Nuls in the middle."]
    assert counts == {"nul_bytes": 2}


@FORMATS
def test_an_empty_file_gives_no_document_or_an_error(tmp_path, name):
    path = tmp_path / f"a.{name}"
    path.write_bytes(b"")
    with pytest.raises(CorpusError, match="is empty"):
        open_corpus(path)
    path.write_bytes(bytes_of(name, []) or b"\n")
    with pytest.raises(CorpusError, match="holds no text"):
        list(open_corpus(path))


def documents_or_error(data, name, **options):
    try:
        return read_bytes(data, name, **options)
    except CorpusError as error:
        if not str(error).startswith(f"a.{name}") or "\n" in str(error):
            raise AssertionError("not one line that names the file") from error
        return []


def is_sound(raw):
    assert raw.text.strip()
    assert "\0" not in raw.text
    raw.text.encode(), raw.title.encode()
    document = Refiner(CorpusSettings()).document(raw, Counter())
    if document is not None:
        assert document.sentences
        for sentence in document.sentences:
            assert sentence.strip() == sentence != ""
            assert "\n" not in sentence
            assert "\r" not in sentence


@FORMATS
@pytest.mark.parametrize("errors", ["strict", "replace"])
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_any_bytes_give_documents_or_a_corpus_error(name, errors, data):
    for raw in documents_or_error(data, name, errors=errors):
        is_sound(raw)


def damaged(data, sound):
    """Some bytes changed, perhaps the end cut off, perhaps NULs or more of the same after it."""
    changed = bytearray(sound)
    for _ in range(data.draw(st.integers(0, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.just(len(changed)) | st.integers(1, len(changed)))
    return bytes(changed[:cut]) + data.draw(st.sampled_from([b"", b"\0" * 9, sound, b"rubbish"]))


@FORMATS
@pytest.mark.parametrize("errors", ["strict", "replace"])
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damaged_files_give_documents_or_a_corpus_error(name, errors, data):
    for raw in documents_or_error(damaged(data, bytes_of(name, KNOWN)), name, errors=errors):
        is_sound(raw)


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("name", [name for name in format_names() if not needs_seeking(name)])
@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damaged_archives_give_documents_or_a_corpus_error(name, compression, data):
    sound = COMPRESS[compression](bytes_of(name, KNOWN))
    packed = damaged(data, sound) if data.draw(st.booleans()) else data.draw(st.binary())
    for errors in ("strict", "replace"):
        options = {"errors": errors, "compression": compression}
        for raw in documents_or_error(packed, name, **options):
            is_sound(raw)


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("name", [name for name in format_names() if not needs_seeking(name)])
def test_a_cut_file_is_kept_as_far_as_it_goes_and_reading_goes_on(tmp_path, name, compression):
    many = [Document(f"n {n}", [f"Sentence {n} of many stands here."] * 3) for n in range(200)]
    plain, pack = bytes_of(name, many), COMPRESS[compression]
    half, rest = pack(plain[: len(plain) // 2]), pack(plain[len(plain) // 2 :])
    for number, data in enumerate([pack(plain), half + rest[: len(rest) // 2], pack(plain)]):
        (tmp_path / f"{number}.{name}{compression}").write_bytes(data)
    with pytest.raises(CorpusError, match=rf"1\.{name}\{compression}: .*ends too early.*of text"):
        list(open_corpus(tmp_path))
    corpus = open_corpus(tmp_path, CorpusSettings(errors="replace"))
    found = [sentence for document in corpus.documents() for sentence in document.sentences]
    known = [sentence for document in many for sentence in document.sentences]
    kept = found[len(known) : -len(known)]
    assert found[: len(known)] == found[-len(known) :] == known
    assert kept[:-1] == known[: len(kept) - 1]
    assert len(kept) > 0.4 * len(known)
    assert corpus.counts["truncated_files"] == 1

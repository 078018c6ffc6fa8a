"""Documents in another language."""

import sys
from collections import Counter

import pytest

from bertsmith.corpus import (
    CleaningSettings,
    CorpusSettings,
    RawDocument,
    Refiner,
    language_filter,
    open_corpus,
)
from bertsmith.errors import CorpusError

TEXTS = {
    "en": "The rain had not stopped when they came home, and nobody said a word about it. ",
    "de": "Der Regen hatte nicht aufgehört, als sie heimkamen, und niemand sprach darüber. ",
    "fr": "La pluie n'avait pas cessé quand ils rentrèrent, et personne n'en dit un mot. ",
    "zh": "他们回到家的时候，雨还没有停，谁也没有说起这件事。后来天黑了，大家都睡着了。",
    "ja": "彼らが家に帰ったとき、雨はまだ止んでいなかったし、誰もそのことを話さなかった。",
    "ru": "Дождь ещё не перестал, когда они вернулись домой, и никто об этом не говорил. ",
}


def keep(text, language):
    counts = Counter()
    refiner = Refiner(CorpusSettings(cleaning=CleaningSettings(only_language=language)))
    return refiner.plain(RawDocument("", text, False, "x"), counts) is not None, dict(counts)


@pytest.mark.parametrize("language", TEXTS)
def test_languages_are_told_apart(language):
    for other, text in TEXTS.items():
        counts = {} if other == language else {"documents_in_other_languages": 1}
        assert keep(text * 10, language) == (other == language, counts)


def test_in_doubt_a_document_is_kept():
    assert keep(TEXTS["fr"], "en")[0]  # too short to tell
    assert not keep(TEXTS["fr"] * 3, "en")[0]
    croatian = "Kiša nije prestala kad su se vratili kući, i nitko o tome nije rekao ni riječi. "
    assert keep(croatian * 3, "bs")[0]  # a close relative: Croatian is five times as likely
    assert not keep(croatian * 3, "sl")[0]


def test_capitals_are_no_other_language():
    assert keep(TEXTS["en"].upper() * 10, "en")[0]
    assert not keep(TEXTS["de"].upper() * 10, "en")[0]


def test_it_takes_front_and_middle():
    long = TEXTS["en"] * 4 + "\n" + TEXTS["de"] * 200
    assert not keep(long, "fr")[0]
    assert keep(long, "de")[0] or keep(long, "en")[0]


def test_an_unknown_language_is_told_before_anything_is_read(tmp_path):
    (tmp_path / "a.txt").write_text("It rains.")
    settings = CorpusSettings(cleaning=CleaningSettings(only_language="xx"))
    with pytest.raises(
        CorpusError, match=r"^--only-language: .*'xx'; give one of ace af .* zh zu$"
    ):
        open_corpus(tmp_path / "a.txt", settings)


def test_a_missing_library_is_told(monkeypatch):
    language_filter._identifier.cache_clear()
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    with pytest.raises(CorpusError, match=r"pip install 'bertsmith\[language\]'"):
        language_filter.check_known_language("en")

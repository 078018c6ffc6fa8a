import pytest
import sentencex
from pydantic import ValidationError

from bertsmith.corpus import CleaningSettings, CorpusSettings, open_corpus
from bertsmith.corpus.languages import check_base_language, check_language


@pytest.mark.parametrize("code", ["en", "zh", "sv", "gsw", "ceb", "nds-nl", "cbk-zam"])
def test_codes_of_languages(code):
    assert check_language(code) == code
    assert CorpusSettings(language=code).language == code


@pytest.mark.parametrize(
    ("code", "language"),
    [("EN", "en"), ("zh-hant", "zh"), ("pt-br", "pt"), ("pt_BR", "pt"), ("de_DE", "de"),
     ("de-CH", "de"), ("es-419", "es"), ("zh-Hant-TW", "zh"), ("zh-min-nan", "zh"),
     ("NDS_NL", "nds-nl"), ("nds-DE", "nds"), ("sr-Latn", "sr")],
)  # fmt: skip
def test_a_region_is_left_out(code, language):
    assert check_language(code) == language
    assert CorpusSettings(language=code).language == language
    assert check_base_language(code) == language.partition("-")[0]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("de-CH", "Er kam am 5. Mai. Sie nicht."),
        ("ru-RU", "Он жил в 1990 г. в Москве. См. стр. 5."),
        ("es-MX", "La Dra. Pérez y Ud. Juan. Prof. López."),
        ("pt-BR", "O Exmo. Sr. Costa chegou. Ela não."),
        ("fr-CA", "Il vint av. J.-C. Elle non."),
    ],
)
def test_a_region_is_split_by_the_rules_of_its_language(tmp_path, code, text):
    (tmp_path / "a.txt").write_text(text)

    def sentences(language):
        settings = CorpusSettings(language=language, text_form="paragraphs")
        return [d.sentences for d in open_corpus(tmp_path / "a.txt", settings).documents()]

    assert sentences(code) == sentences(code[:2]) != sentences("en")


REGIONS = """
cbk-zam de-at de-ch de-formal es-formal kk-arab kk-cn kk-cyrl kk-kz kk-latn kk-tr nds-nl
nl-informal pt-br tt-cyrl zh-classical zh-cn zh-hans zh-hant zh-hk zh-min-nan zh-tw zh-yue
"""
PROBE = (
    "Kam am 5. Mai z.B. um 5. Er ging. El Sr. García y la Dra. Pérez. Exmo. Sr. Costa. De heer "
    "drs. Jansen, dhr. Jan, blz. 5. Он жил в 1990 г. в Москве, см. стр. 5. Қ. Сәтбаев. "
    "她来了。你呢？"
)


@pytest.mark.parametrize("code", REGIONS.split())
def test_regions_that_sentencex_knows_are_split_as_it_splits_them(code):
    """What is left out never matters: it would, if `sentencex` got new rules for a region."""
    assert sentencex.segment(check_language(code), PROBE) == sentencex.segment(code, PROBE)


@pytest.mark.parametrize(
    ("code", "meant"),
    [("english", "en"), ("German", "de"), ("german-at", "de"), ("deu_DE", "de"),
     ("de_DE.UTF-8", "de"), ("chinees", "zh"), ("jp", "ja"), ("cn", "zh"), ("deu", "de"),
     ("eng", "en")],
)  # fmt: skip
def test_what_was_meant_is_said(code, meant):
    with pytest.raises(ValueError, match=f"did you mean {meant}\\?"):
        check_language(code)
    with pytest.raises(ValueError, match=f"did you mean {meant}\\?"):
        check_base_language(code)
    with pytest.raises(ValidationError, match=f"did you mean {meant}\\?"):
        CleaningSettings(only_language=code)


@pytest.mark.parametrize("code", ["", "xx", "qq", "e", "-en", "en\n", "123"])
def test_no_codes(code):
    with pytest.raises(ValueError, match="is no language code"):
        check_language(code)
    with pytest.raises(ValidationError, match="is no language code"):
        CorpusSettings(language=code)


def test_a_language_with_rules_of_its_own_is_split_by_them():
    """What the check is for: an unknown code is split as English, without a word."""
    text = "Sie kam am 5. Mai. Er nicht."
    assert sentencex.segment("nonsense", text) == sentencex.segment("en", text)
    assert sentencex.segment("de", text) != sentencex.segment("en", text)

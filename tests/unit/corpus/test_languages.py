import pytest
import sentencex
from pydantic import ValidationError

from bertsmith.corpus import CorpusSettings
from bertsmith.corpus.languages import check_language


@pytest.mark.parametrize("code", ["en", "zh", "zh-hant", "pt-br", "sv", "gsw", "ceb", "zh-min-nan"])
def test_codes_of_languages(code):
    assert check_language(code) == code


@pytest.mark.parametrize(
    ("code", "meant"),
    [("english", "en"), ("German", "de"), ("EN", "en"), ("pt_BR", "pt-br"), ("chinees", "zh"),
     ("jp", "ja"), ("cn", "zh"), ("deu", "de"), ("eng", "en")],
)  # fmt: skip
def test_what_was_meant_is_said(code, meant):
    with pytest.raises(ValueError, match=f"did you mean {meant}\\?"):
        check_language(code)


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

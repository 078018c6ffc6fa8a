"""The languages whose sentences can be split."""

import re
from difflib import get_close_matches

__all__ = ["check_base_language", "check_language"]

_FORM = re.compile(r"[a-z]{2,3}(-[a-z0-9]+)*")

# ISO 639-1, and a few codes that it has withdrawn.
_ISO_639_1 = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de
dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id
ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu
lv mg mh mi mk ml mn mo mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt
qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn
to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
_TWO_LETTERS = frozenset(_ISO_639_1.split())

# Other names of the languages that `sentencex` has rules for, which it knows by two letters alone.
_NAMES = """
am amharic amh, ar arabic ara, bg bulgarian bul, bn bengali ben, ca catalan cat, da danish dan dk,
de german deu ger, el greek ell gre gr, en english eng, es spanish spa, fi finnish fin,
fr french fra fre, gu gujarati guj, hi hindi hin, hy armenian hye arm, it italian ita,
ja japanese jpn jp, kk kazakh kaz, kn kannada kan, ml malayalam mal, mr marathi mar,
my burmese mya bur, nl dutch nld dut, pa punjabi pan, pl polish pol, pt portuguese por,
ru russian rus, sk slovak slk slo, ta tamil tam, te telugu tel, uk ukrainian ukr ua,
zh chinese zho chi cn
"""
_CODE_OF = {name: entry.split()[0] for entry in _NAMES.split(",") for name in entry.split()[1:]}

# Of all codes with a region, script or variant, those that `sentencex` splits otherwise than the
# language before the hyphen: Low Saxon in the Netherlands as Dutch, Chavacano as Spanish.
_OWN_RULES = frozenset({"nds-nl", "cbk-zam"})


def check_language(code: str) -> str:
    """Returns the language code whose rules split a language's sentences.

    `sentencex` has rules for some thirty languages, takes those of a related language for some
    hundred more, and English's for everything else, misspelt codes too. So a code of two letters
    has to be a language's, and one of three must not stand for a language that has two. What
    follows a hyphen or underscore (a region, a script) is left out, unless it has other rules.

    Args:
        code: such as "en", "zh", "ceb", "pt-BR" or "de_CH"; case doesn't matter.

    Raises:
        ValueError: it is none.

    Example:
        >>> check_language("de_CH"), check_language("zh-Hant"), check_language("nds-nl")
        ('de', 'zh', 'nds-nl')
        >>> check_language("german")
        Traceback (most recent call last):
        ValueError: is no language code; did you mean de?
    """
    whole, language = _parts(code)
    if language in _TWO_LETTERS or len(language) == 3:
        return whole if whole in _OWN_RULES else language
    raise _no_code(code)


def check_base_language(code: str) -> str:
    """Returns the code of a language by itself, without a region, if it has the form of one.

    Args:
        code: such as "en" or "pt-BR".

    Raises:
        ValueError: it is none.

    Example:
        >>> check_base_language("pt-BR")
        'pt'
        >>> check_base_language("english")
        Traceback (most recent call last):
        ValueError: is no language code; did you mean en?
    """
    language = _parts(code)[1]
    if language:
        return language
    raise _no_code(code)


def _parts(code: str) -> tuple[str, str]:
    """A code in lower case with hyphens, and the language in it, "" where it isn't like a code."""
    whole = code.lower().replace("_", "-")
    language = whole.partition("-")[0]
    is_code = _FORM.fullmatch(whole) is not None and language not in _CODE_OF
    return whole, language if is_code else ""


def _no_code(code: str) -> ValueError:
    language = code.lower().replace("_", "-").partition("-")[0]
    close = get_close_matches(language, _CODE_OF, 1)
    fix = f"did you mean {_CODE_OF[close[0]]}?" if close else "give one such as en, de or zh"
    return ValueError(f"is no language code; {fix}")

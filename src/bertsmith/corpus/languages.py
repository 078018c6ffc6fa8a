"""The languages whose sentences can be split."""

import re
from difflib import get_close_matches

__all__ = ["check_language"]

_FORM = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*")

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


def check_language(code: str) -> str:
    """Returns a language code if it is one that sentences can be split for.

    `sentencex` has rules for some thirty languages, takes those of a related language for some
    hundred more, and English's for everything else, misspelt codes too. So a code of two letters
    has to be a language's, and one of three must not stand for a language that has two.

    Args:
        code: such as "en", "zh", "pt-br" or "ceb".

    Raises:
        ValueError: it is none.

    Example:
        >>> check_language("zh-hant")
        'zh-hant'
        >>> check_language("german")
        Traceback (most recent call last):
        ValueError: is no language code; did you mean de?
    """
    if _is_language(code):
        return code
    lowered = code.lower().replace("_", "-")
    if _is_language(lowered):
        meant: str | None = lowered
    else:
        close = get_close_matches(lowered, _CODE_OF, 1)
        meant = _CODE_OF[close[0]] if close else None
    fix = f"did you mean {meant}?" if meant else "give one such as en, de or zh"
    raise ValueError(f"is no language code; {fix}")


def _is_language(code: str) -> bool:
    language = code.partition("-")[0]
    is_known = language in _TWO_LETTERS or (len(language) == 3 and language not in _CODE_OF)
    return is_known and _FORM.fullmatch(code) is not None

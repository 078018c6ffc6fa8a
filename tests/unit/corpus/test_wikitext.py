"""MediaWiki mark-up, piece by piece."""

import pytest

from bertsmith.corpus.wikitext import strip_wikitext

CASES = {
    "bold and italics": ("'''Rain''' is ''wet'' and '''''cold'''''.", "Rain is wet and cold."),
    "an apostrophe before italics": ("L'''Iliade'' et l{{'}}été.", "L'Iliade et l'été."),
    "an apostrophe before bold": ("dell''''Iliade'''.", "dell'Iliade."),
    "links": ("[[Rain]]s, [[Rain|wet]] [[rain (film)|]] [[:Category:Rain]].", "Rains, wet rain"),
    "no links": ("a [[Category:Rain]] [[de:Regen]] [[zh-min-nan:Hō]] [[Re:Zero]]", "a Re:Zero"),
    "files": ("[[File:a.jpg|thumb|right|A [[b]] {{c}} [http://x y]]]Rain.", "Rain."),
    "files in other languages": ("[[Datei:a.png]] [[ファイル:b.jpg|thumb]]雨 [[X:c.ogg]]", "雨"),
    "external links": (
        "See [http://a.b the site], [http://a.b] and [//a.b c].",
        "See the site, and",
    ),
    "references": ('Rain<ref name="a">b {{c}}</ref> fell.<ref name=a />', "Rain fell."),
    "reference lists": ("Rain.<references><ref>b</ref></references>", "Rain."),
    "comments": ("Ra<!-- [[ {{ -->in.", "Rain."),
    "templates": ("{{Infobox|a={{b|c}}\n|d=[[e]]}}Rain{{citation needed|date=May}}.", "Rain."),
    "templates of words": (
        "{{lang|fr|[[mot]]}} {{nowrap|5 km}}, {{convert|5|to|7|sqmi|km2|abbr=on}} {{chem|H|2|O}}",
        "mot 5 km, 5 to 7 sq mi H2O",
    ),
    "quantities": (
        "{{convert|5|ft|3|in|cm}}, {{convert|5|ft|3|in}}, {{convert|9|km|0}}, {{cvt|9|km|mi|0}}, "
        "{{convert|3|-|5|km}}, {{convert|1|km}} {{frac|2}} {{frac|1|2}} {{frac|3|1|2}} {{circa|9}}",
        "5 ft 3 in, 5 ft 3 in, 9 km, 9 km, 3 – 5 km, 1 km 1/2 1/2 3 1/2 c. 9",
    ),
    "transliterations": ("{{transl|ar|ALA|Allāh}} and {{transl|he|El}}.", "Allāh and El."),
    "templates of words in other languages": (
        "Le {{lien|Rain|lang=en}} du {{s-|XIX|e}}, le {{date|3|mai|1990}}. {{s|5 мм}}. {{laS|a}}.",
        "Le Rain du XIXe siècle, le 3 mai 1990. 5 мм. a.",
    ),
    "categories in other languages": ("[[Kategorie:a]] [[分类:b]] [[קטגוריה:c]] [[رده:d]]雨", "雨"),
    "quotations": ("He said:\n{{quote|It [[rain]]s.|Author}}\nTrue.", "He said:\nIt rains.\nTrue."),
    "what is not closed inside a template": ("{{a|[[b {| c <ul>d}} Rain.", "Rain."),
    "parameters": ("a {{#if:{{{x|}}}|y}} b", "a b"),
    "tables": ("Rain.\n{|\n! a\n|-\n| b {{c}}\n{|\n| d\n|}\n|}\nSnow.", "Rain.\nSnow."),
    "tables in HTML": ("Rain.<table><tr><td>a</td></tr></table>Snow.", "Rain.\nSnow."),
    "lists": ("Rain:\n* a\n** b\n# c\n; d\n: e\nSnow.", "Snow."),
    "announced lists": ("It rains. They are:\n\n* a\n\nSnow: so it is.", "It rains.\nSnow: so"),
    "lists in HTML": ("Rain.<ul><li>a<ul><li>b</li></ul></li></ul>Snow.", "Rain.\nSnow."),
    "headings": ("Rain.\n== Past ==\nSnow.\n===  ===\nIce.", "Rain.\nSnow.\nIce."),
    "sections without text": (
        "Rain.\n==See also==\na\n=== b ===\nc\n== Later ==\nSnow.\n== '''Ссылки''' ==\nd\n"
        "==参考文献==\ne\n== Notes et références ==\nf\n==Einzelnachweise==\ng",
        "Rain.\nSnow.",
    ),
    "formulas, galleries, code": (
        "A <math>\\frac{{a}}{b}</math> b <gallery>\nFile:c|d\n</gallery> <source>e</source> f.",
        "A b f.",
    ),
    "nowiki": (
        "<nowiki>[[a]] '''b''' {{c}} &amp;</nowiki> d<nowiki />e",
        "[[a]] '''b''' {{c}} &amp; de",
    ),
    "tags": ("H<sub>2</sub>O <span class='a'>b</span><br/>c", "H2O b c"),
    "blocks": ("Rain.<blockquote>Snow.</blockquote>Ice.", "Rain.\nSnow.\nIce."),
    "entities": ("a&nbsp;b &lt;b&gt; &#x2014; &amp;lt; 1 < 2 > 1", "a b <b> — &lt; 1 < 2 > 1"),
    "entities that are no characters": (
        f"a &#0; &#{'9' * 5000}; &#{'0' * 5000}65; &#xD800; &#x110000; b",
        "a \ufffd \ufffd \ufffd \ufffd \ufffd b",
    ),
    "behaviour switches": ("__NOTOC__Rain __init__ __KEIN_INHALT__.", "Rain __init__."),
    "lines of a paragraph": ("Rain\nand snow.\n\nIce.\n\n\nWind.", "Rain and snow.\nIce.\nWind."),
    "rules": ("Rain.\n----\nSnow.", "Rain.\nSnow."),
    "what templates leave in brackets": (
        "Bohr ({{IPA|a}}; {{b}}, born 1885) ({{c}}) [{{d}}], won {{e}}.",
        "Bohr (born 1885), won.",
    ),
    "Chinese": (
        "'''维基'''（{{lang-en|Wiki}}，{{IPA|x}}）是-{zh-hans:计算机;zh-hant:電腦}-。（）",
        "维基（Wiki）是计算机。",
    ),
    "redirects": ("#REDIRECT [[Rain]]", ""),
    "nothing but mark-up": ("{{a}}\n[[File:b.jpg]]\n* c\n== References ==\n<references/>", ""),
    "nothing": (" \n\n", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_left(name):
    markup, expected = CASES[name]
    found = strip_wikitext(markup)
    assert found == expected or (not expected.endswith(".") and found.startswith(expected))


UNBALANCED = [
    "{{Infobox\n| a = b",
    "{{a|b {{c}}",
    "[[File:a.jpg|thumb|b",
    "[[a|b",
    "{|\n| a",
    "<ref>a",
]
UNBALANCED += [
    "<ref>{{a}}<ref>",
    "<math>a",
    "<nowiki>a",
    "<!-- a",
    "<table><tr>",
    "'''",
    "}}",
    "]]",
]
UNBALANCED += [
    "|}",
    "</ref>",
    "</table>",
    "[http://a",
    "-{a",
    "<ref name=",
    "{{{a",
    "__A",
    "&#x;",
    "<ul>",
]


@pytest.mark.parametrize("broken", UNBALANCED)
def test_what_is_not_closed_takes_little_with_it(broken):
    text = f"Rain fell.\n\n{broken}\n\nSnow fell.<ref>a</ref>\n\n== Later ==\nIce {{{{b}}}} came."
    found = strip_wikitext(text).split("\n")
    assert found[0] == "Rain fell."
    assert found[-2:] == ["Snow fell.", "Ice came."]
    assert len(found) <= 4


def test_marks_that_nothing_opens_are_dropped():
    assert strip_wikitext("a }} b ]] c </ref> d") == "a b c d"


def test_very_deep_nesting_is_read():
    depth = 5_000
    assert strip_wikitext("a " + "{{b|" * 90 + "c" + "}}" * 90 + " d") == "a d"
    assert strip_wikitext("[[a|" * depth + "b" + "]]" * depth).endswith("b")
    assert strip_wikitext("{{a|" * depth + "\n\nRain." + "}}" * 10).endswith("Rain.") is False

"""Headings: where an article's sections start, and which of them hold no text."""

import re
from collections.abc import Iterator

__all__ = ["text_sections"]

_HEADING = re.compile(r"^(=.*=)[ \t]*$", re.MULTILINE)
_WORDS = re.compile(r"\w+")

_WITHOUT_TEXT = """
References|Reference|Notes|Footnotes|Endnotes|Citations|Sources|Bibliography|Works cited
Notes and references|References and notes|References and sources|Notes and citations
Sources and references|Citations and notes|Footnotes and references|Explanatory notes
References and further reading|References and external links|External links and references
See also|Further reading|External links|External link|External sources|Additional reading
Further reading and external links|Related links|Related pages|Gallery|Image gallery|Links
Einzelnachweise|Weblinks|Weblink|Siehe auch|Literatur|Quellen|Fußnoten|Anmerkungen|Belege
Nachweise|Weiterführende Literatur|Quellen und Literatur|Literatur und Quellen|Galerie
Anmerkungen und Einzelnachweise|Einzelnachweise und Anmerkungen
Références|Notes et références|Liens externes|Lien externe|Voir aussi|Bibliographie|Annexes
Articles connexes|Article connexe|Liens internes|Notes|Références et notes
Sources et bibliographie|Notes et sources
Referencias|Enlaces externos|Enlace externo|Véase también|Bibliografía|Notas|Fuentes|Galería
Notas y referencias|Referencias y notas|Notas al pie|Lectura adicional|Lecturas adicionales
Note|Collegamenti esterni|Voci correlate|Bibliografia|Altri progetti|Fonti
Referências|Ligações externas|Ver também|Notas e referências|Fontes|Leitura adicional
Referenties|Externe links|Externe link|Zie ook|Literatuur|Bronnen|Voetnoten|Noten
Noten en of referenties|Bronvermelding|Bronnen noten en of referenties
Przypisy|Linki zewnętrzne|Zobacz też|Uwagi|Literatura
Referenser|Externa länkar|Se även|Källor|Noter|Fotnoter|Vidare läsning|Litteratur
Примечания|Ссылки|Литература|См. также|Источники|Библиография|Сноски|Галерея
Примітки|Посилання|Література|Див. також|Джерела
参考文献|參考文獻|参考资料|參考資料|参考来源|參考來源|参考书目|參考書目|参考|參考|来源|來源
资料来源|資料來源|外部链接|外部連結|外部鏈接|外部连接|外部連接|外部链结|参见|參見|参看|參看
参阅|參閱|另见|另見|注释|註釋|注釋|注解|註解|附注|附註|备注|備註|脚注|腳註|延伸阅读|延伸閱讀
扩展阅读|擴展閱讀|相关条目|相關條目|相关链接|相關連結|图集|圖集|图库|圖庫|图片|圖片|参考链接
参考文献与注释|注释与参考文献|注释和参考文献|參考資料與註釋|註釋與參考資料
外部リンク|関連項目|出典|注釈|註釈|脚註|注記|関連文献|関連書籍|参考図書|関連リンク|ギャラリー
각주|외부 링크|같이 보기|참고 문헌|참고문헌|주석|바깥 고리|출처|함께 보기
مراجع|المراجع|وصلات خارجية|روابط خارجية|انظر أيضا|انظر أيضًا|هوامش|المصادر|مصادر
Kaynakça|Dış bağlantılar|Ayrıca bakınız|Notlar
"""


def _key(heading: str) -> str:
    return " ".join(_WORDS.findall(heading.casefold()))


_WITHOUT_TEXT_KEYS = frozenset(
    _key(heading) for line in _WITHOUT_TEXT.split("\n")[1:-1] for heading in line.split("|")
)


def text_sections(text: str) -> Iterator[str]:
    r"""Yields the sections of an article without their headings.

    Sections that hold no text, by their names, are passed over with their subsections.

    Example:
        >>> article = "lead\n== Past ==\na\n== See also ==\nb\n=== c ===\nd\n== Now ==\ne"
        >>> list(text_sections(article))
        ['lead\n', '\na\n', '\ne']
    """
    pieces = _HEADING.split(text)
    yield pieces[0]
    passed_over = 0
    for heading, section in zip(pieces[1::2], pieces[2::2], strict=True):
        level = _level(heading)
        if passed_over and level > passed_over:
            continue
        passed_over = level if _key(heading) in _WITHOUT_TEXT_KEYS else 0
        if not passed_over:
            yield section


def _level(heading: str) -> int:
    opening = len(heading) - len(heading.lstrip("="))
    closing = len(heading) - len(heading.rstrip("="))
    return min(opening, closing)

"""The text of a link."""

import re

__all__ = ["is_file", "link_text"]

_FILES = """
file image media datei bild fichier image archivo imagen immagine ficheiro arquivo imagem bestand
afbeelding plik grafika fil ファイル 画像 文件 檔案 档案 图像 圖像 圖片 图片 파일 그림 файл
изображение зображення ملف صورة dosya resim tập_tin hình soubor tiedosto kép fájl billede
"""
_CATEGORIES = """
category kategorie catégorie categoría categoria categorie kategoria kategori カテゴリ 分类 分類
분류 категория категорія تصنيف thể_loại luokka kategória
קטגוריה رده κατηγορία категорија श्रेणी বিষয়শ্রেণী หมวดหมู่ kategorija kategooria பகுப்பு
"""
_DROPPED = frozenset(f"{_FILES} {_CATEGORIES}".replace("_", " ").split())
_FILE_PREFIXES = frozenset(_FILES.replace("_", " ").split())
_MEDIA = re.compile(r"\.(?:jpe?g|png|gif|svg|tiff?|webp|webm|og[gvam]|djvu|pdf|wav|mp3|mid)\s*$")

# Links between the languages of Wikipedia, which show no text.
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]{2,10})*|simple|be-x-old|zh-min-nan|roa-rup|map-bms")


def is_file(content: str) -> bool:
    """Whether a link's content is a picture or sound.

    Example:
        >>> is_file("File:Rain.jpg|thumb"), is_file("Rain|File:x")
        (True, False)
    """
    target = content.partition("|")[0]
    prefix, colon, _ = target.partition(":")
    if not colon:
        return False
    return prefix.strip().lower() in _FILE_PREFIXES or bool(_MEDIA.search(target.lower()))


def link_text(content: str) -> str:
    """What a reader sees of `[[content]]`.

    Example:
        >>> link_text("Rain"), link_text("Rain|rainy"), link_text("Category:Rain")
        ('Rain', 'rainy', '')
        >>> link_text(":Category:Rain"), link_text("de:Regen"), link_text("Rain (film)|")
        ('Category:Rain', '', 'Rain')
    """
    target, pipe, text = content.partition("|")
    if "\n" in target:
        return content
    if ":" in target:
        prefix = target.partition(":")[0].strip()
        if prefix.lower() in _DROPPED or is_file(content):
            return ""
        if prefix and not pipe and _LANGUAGE.fullmatch(prefix):
            return ""
    if text:
        return text
    shown = target.strip().removeprefix(":").replace("_", " ")
    if pipe:
        shown = shown.partition(":")[2] or shown
        shown = shown.partition(" (")[0].partition(", ")[0]
    return shown

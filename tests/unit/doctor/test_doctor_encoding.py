"""Garbled text is told from sound text, and read back."""

import pytest

from bertsmith.doctor.corpus_checks.encoding import repair

SOUND = [
    "Das Café hätte für 3 € geöffnet – „natürlich“.",
    "« CAFÉ » à Noël ; 26 × 38 cm, 10\xa0°C, ½ Ä ö",
    "4\xa0×\xa05 and 1.10 ×\xa02",
    "東京 Киев Ελλάδα हिन्दी",
    "naïve Ångström Øre þæt",
    "plain ASCII",
]


def garbled(text):
    """UTF-8 read as Windows-1252, and as Latin-1 where that has no character."""
    return "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in text.encode())


@pytest.mark.parametrize("text", SOUND)
def test_sound_text_stays(text):
    assert repair(text) == text


@pytest.mark.parametrize("text", SOUND)
def test_garbled_text_is_read_back(text):
    assert repair(garbled(text)) == text
    assert repair(garbled(garbled(text))) == text

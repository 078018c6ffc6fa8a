"""Corpora with a planted defect each, and a sound one."""

import gzip
import itertools
import json
import random

_ENGLISH = """river mountain city village bridge market winter summer teacher farmer red old small
quiet walks builds paints sells near behind under and the a of with from to in slowly often where
people have always lived by what they could grow on their own land before others came"""
_GERMAN = """der Fluss und die alte Brücke hinter dem Dorf wurden im letzten Winter von vielen
Leuten besucht weil sie nicht mehr wussten wohin man sonst noch gehen könnte ohne Geld auszugeben"""
WORDS, GERMAN = _ENGLISH.split(), _GERMAN.split()
BOILERPLATE = "Share this page with all your friends!"
CHINESE = "他在河边的村子里住了很多年每天早上都去市场买东西老师说这座桥是去年冬天才修好的"


def sentence(rng, words=WORDS, least=6, most=14):
    return " ".join(rng.choices(words, k=rng.randint(least, most))).capitalize() + "."


def documents(rng, number=60, words=WORDS):
    """Documents of 4 to 9 sentences in two paragraphs."""
    texts = []
    for _ in range(number):
        sentences = [sentence(rng, words) for _ in range(rng.randint(4, 9))]
        texts.append(" ".join(sentences[:3]) + "\n" + " ".join(sentences[3:]))
    return texts


def write_jsonl(folder, texts, titles=None):
    path = folder / "a.jsonl"
    titles = titles or [f"t{number}" for number in range(len(texts))]
    records = zip(texts, titles, strict=True)
    lines = (json.dumps({"text": text, "title": title}) for text, title in records)
    path.write_text("".join(line + "\n" for line in lines))
    return path


def write_txt(folder, text):
    path = folder / "a.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def sound(folder, number=60, seed=0):
    return write_jsonl(folder, documents(random.Random(seed), number))


def varied():
    """Documents of 1,500 words, as unevenly frequent as words are."""
    rng = random.Random(2)
    syllables = ["".join(pair) for pair in itertools.product("bdfklmnprst", "aeiou")]
    words = list(dict.fromkeys("".join(rng.choices(syllables, k=3)) for _ in range(1500)))
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    return [
        " ".join(f"{' '.join(rng.choices(words, weights, k=10)).capitalize()}." for _ in range(40))
        for _ in range(400)
    ]


def _edited(edit):
    """A sound corpus with `edit(text, number, rng)` done to every document."""

    def plant(folder):
        rng = random.Random(1)
        texts = documents(rng)
        return write_jsonl(folder, [edit(text, n, rng) for n, text in enumerate(texts)])

    return plant


def _stray_blank_lines(folder):
    rng = random.Random(1)
    return write_txt(folder, "\n\n".join(sentence(rng) for _ in range(300)))


def _one_document(folder):
    rng = random.Random(1)
    return write_txt(folder, "\n".join(sentence(rng) for _ in range(300)))


def _wrapped_lines(folder):
    rng = random.Random(1)
    lines, line = [], ""
    for word in " ".join(sentence(rng, least=12, most=25) for _ in range(200)).split():
        if len(line) + len(word) > 60:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    paragraphs = ["\n".join(lines[n : n + 12]) for n in range(0, len(lines), 12)]
    return write_jsonl(folder, paragraphs)


def _near_duplicates(folder):
    rng = random.Random(1)
    texts = documents(rng)
    changed = [text.replace("village", "hamlet", 1) + " And more." for text in texts[:20]]
    return write_jsonl(folder, texts + changed)


def _titles(folder):
    rng = random.Random(1)
    names = [" ".join(rng.choices(WORDS, k=3)).title() for _ in range(40)]
    return write_jsonl(folder, documents(rng) + names, [""] * 60 + names)


def _foreign(folder):
    rng = random.Random(1)
    return write_jsonl(folder, documents(rng, 40) + documents(rng, 20, GERMAN))


def _chinese(folder):
    rng = random.Random(1)
    texts = ["".join(rng.sample(CHINESE, 30)) + "。" for _ in range(40)]
    return write_jsonl(folder, ["".join(rng.sample(texts, 5)) for _ in range(40)])


def _long_sentences(folder):
    rng = random.Random(1)
    run_on = [" ".join(rng.choices(WORDS, k=700)) for _ in range(10)]
    return write_jsonl(folder, documents(rng) + run_on)


def _broken_records(folder):
    path = sound(folder)
    path.write_text(path.read_text() + '{"text": \n' * 3)
    return path


def _truncated(folder):
    packed = gzip.compress(sound(folder).read_bytes())
    path = folder / "b.jsonl.gz"
    path.write_bytes(packed[: len(packed) * 2 // 3])
    return path


def _latin_1(folder):
    rng = random.Random(1)
    text = "\n\n".join("\n".join(sentence(rng) for _ in range(5)) for _ in range(60))
    return write_txt(folder, text.replace("river", "rivière").encode("latin-1"))


def _utf_16(folder):
    rng = random.Random(1)
    text = "\n\n".join("\n".join(sentence(rng) for _ in range(5)) for _ in range(60))
    return write_txt(folder, text.encode("utf-16-le"))


def _garble(text, number, rng):
    return text.replace("river", "rivière — l’eau".encode().decode("cp1252"))


CORPUS_DEFECTS = {
    "repeated_lines": _edited(lambda text, n, rng: f"{text}\n{BOILERPLATE}"),
    "duplicate_documents": lambda folder: write_jsonl(folder, documents(random.Random(1)) * 2),
    "near_duplicate_documents": _near_duplicates,
    "one_sentence_documents": _edited(lambda text, n, rng: sentence(rng) if n % 3 == 0 else text),
    "stray_blank_lines": _stray_blank_lines,
    "one_document": _one_document,
    "wrapped_lines": _wrapped_lines,
    "wrong_script": _chinese,
    "wrong_language": _foreign,
    "not_utf8": _latin_1,
    "nul_bytes": _utf_16,
    "mojibake": _edited(_garble),
    "replacement_characters": _edited(lambda text, n, rng: text.replace("river", "rivi\ufffdre")),
    "control_characters": _edited(lambda text, n, rng: text.replace(" the ", " the\x07")),
    "markup": _edited(lambda text, n, rng: f"<p>{text.replace('city', '<b>city</b>')}</p>"),
    "long_sentences": _long_sentences,
    "short_documents": _edited(lambda text, n, rng: text[:120].rpartition(" ")[0] + "."),
    "title_only_documents": _titles,
    "broken_records": _broken_records,
    "truncated_files": _truncated,
    "little_text": sound,
}
"""Name of a finding → what plants the defect in a folder and returns the corpus's path."""

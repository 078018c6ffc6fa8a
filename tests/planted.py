"""Documents of made-up words, with known duplicates and repeated lines, for tests."""

import json
import random

VOCABULARY = ["".join(random.Random(n).choices("abcdefghijklmnop", k=7)) for n in range(4000)]


def words(rng, number):
    return rng.choices(VOCABULARY, k=number)


def changed(rng, text, number):
    """A text with some of its words replaced."""
    parts = text.split(" ")
    for place in rng.sample(range(len(parts)), number):
        parts[place] = rng.choice(VOCABULARY)
    return " ".join(parts)


def write_jsonl(path, texts):
    """Writes texts as documents whose titles are their numbers."""
    lines = (json.dumps({"title": str(n), "text": text}) for n, text in enumerate(texts))
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def shingles(text):
    """What Jaccard similarity is taken of: runs of five words."""
    parts = text.lower().split()
    length = min(5, len(parts))
    return {tuple(parts[n : n + length]) for n in range(len(parts) - length + 1)}


def jaccard(first, second):
    """The similarity of two sets."""
    return len(first & second) / len(first | second)

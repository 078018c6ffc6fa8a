"""Records what google-research/bert's FullTokenizer answers, as hashes.

    python record_google_tokens.py CHECKOUT [DATA]

CHECKOUT is a git clone of google-research/bert (a bare one will do), DATA the folder with
`pretrain/wiki_en.jsonl.zst`, `pretrain/wiki_zh.jsonl.zst` and Google's vocabularies under `vocab/`.
The answers depend on the Unicode tables of the Python that runs this, so there is one file a
Unicode version; run it with every Python that is to be tested. Needs `zstandard`.
"""

import hashlib
import io
import json
import subprocess
import sys
import tempfile
import types
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
BLOCK = 1024
NUM_LINES = 10_000
LINES_PER_HASH = 500
REAL_TEXT = [
    # corpus, vocabulary, lower-cased
    ("wiki_en", "google_uncased_en_vocab", True),
    ("wiki_en", "google_cased_en_vocab", False),
    ("wiki_zh", "google_zh_vocab", True),
    ("wiki_zh", "google_zh_vocab", False),
]

TokenIds = Callable[[str], list[int]]


def golden_path() -> Path:
    """The file of the running Python's Unicode version."""
    return Path(__file__).with_name(f"google_tokens_unicode_{unicodedata.unidata_version}.json")


def assigned_code_points() -> list[int]:
    return [point for point in range(0x110000) if unicodedata.category(chr(point)) != "Cn"]


def code_point_vocabulary() -> list[str]:
    """A vocabulary in which every character is a piece, so that ids show what was cut where.

    Private-use characters and surrogates are left out: as [UNK] they still show whether they were
    kept.
    """
    characters = [
        character
        for character in map(chr, assigned_code_points())
        if unicodedata.category(character) not in ("Co", "Cs") and not character.isspace()
    ]
    return [*SPECIAL_TOKENS, *characters, *(f"##{character}" for character in characters)]


def code_point_hashes(token_ids: TokenIds) -> dict[str, str]:
    """One hash for every 1,024 code points, of each alone and inside a word."""
    blocks: dict[int, list[str]] = {}
    for point in assigned_code_points():
        words = blocks.setdefault(point - point % BLOCK, [])
        words += (chr(point), f"a{chr(point)}b")
    return {f"{start:06x}": _hash([str(token_ids(" ".join(w)))]) for start, w in blocks.items()}


def real_lines(data: Path, corpus: str) -> Iterator[str]:
    """The first 10,000 lines of a corpus that are not blank."""
    import zstandard

    num_lines = 0
    with (data / "pretrain" / f"{corpus}.jsonl.zst").open("rb") as packed:
        stream = zstandard.ZstdDecompressor().stream_reader(packed)
        for record in io.TextIOWrapper(stream, "utf-8", newline="\n"):
            for line in json.loads(record)["text"].split("\n"):
                if line.strip():
                    yield line
                    num_lines += 1
                    if num_lines == NUM_LINES:
                        return


def line_hashes(token_ids: TokenIds, lines: Iterator[str]) -> list[str]:
    """One hash for every 500 lines."""
    answers = [str(token_ids(line)) for line in lines]
    return [
        _hash(answers[first : first + LINES_PER_HASH])
        for first in range(0, len(answers), LINES_PER_HASH)
    ]


def _hash(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _load_reference(source: str) -> types.ModuleType:
    """Runs `tokenization.py` beside stand-ins for the little of six and TensorFlow it uses."""
    six = types.ModuleType("six")
    six.PY2, six.PY3 = False, True
    tensorflow = types.ModuleType("tensorflow")
    tensorflow.gfile = types.SimpleNamespace(
        GFile=lambda path, _: io.BytesIO(Path(path).read_bytes())
    )
    sys.modules |= {"six": six, "tensorflow": tensorflow}
    reference = types.ModuleType("tokenization")
    exec(compile(source, "tokenization.py", "exec"), reference.__dict__)
    return reference


def _git(checkout: str, *arguments: str) -> str:
    command = ["git", "-C", checkout, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    checkout, data = sys.argv[1], Path(sys.argv[2])
    source = _git(checkout, "show", "HEAD:tokenization.py")
    reference = _load_reference(source)

    def token_ids_of(vocabulary: Path, lowercase: bool) -> TokenIds:
        tokenizer = reference.FullTokenizer(str(vocabulary), do_lower_case=lowercase)
        return lambda text: tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text))

    golden: dict[str, object] = {
        "reference": "google-research/bert, tokenization.py",
        "commit": _git(checkout, "rev-parse", "HEAD").strip(),
        "sha256": hashlib.sha256(source.encode()).hexdigest(),
        "unicode": unicodedata.unidata_version,
    }
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = Path(folder) / "vocab.txt"
        vocabulary.write_bytes("".join(f"{t}\n" for t in code_point_vocabulary()).encode())
        golden["code_points"] = {
            name: code_point_hashes(token_ids_of(vocabulary, lowercase))
            for name, lowercase in (("uncased", True), ("cased", False))
        }
    golden["real_text"] = [
        {
            "corpus": corpus,
            "vocabulary": vocabulary,
            "lowercase": lowercase,
            "hashes": line_hashes(
                token_ids_of(data / "vocab" / f"{vocabulary}.txt", lowercase),
                real_lines(data, corpus),
            ),
        }
        for corpus, vocabulary, lowercase in REAL_TEXT
    ]
    golden_path().write_text(json.dumps(golden, indent=0) + "\n")


if __name__ == "__main__":
    main()

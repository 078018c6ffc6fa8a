"""Records google-research/bert's windows and answers on constructed logits.

Reference: google-research/bert, commit eedf5716ce1268e56f0a50264a88cafad334ac61, `run_squad.py`,
run unchanged; TensorFlow and six, which the recorded functions use for files and logging alone,
are stand-ins. Seed 0. To record again:

    python record_google_answers.py FOLDER_OF_THE_REFERENCE
"""

import collections
import json
import random
import string
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

HERE = Path(__file__).parent
VOCABULARY = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",
    *string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase),
    *string.digits, *(f"##{digit}" for digit in string.digits), *".,'-()",
    "the", "city", "river", "ann", "##ly", "##ing", "##ed", "who", "where", "lived", "in", "of",
]  # fmt: skip
WORDS = [
    "the", "The", "city", "river", "Ann", "Ann's", "lived", "in", "of", "(1901)", "sly-looking",
    "Québec", "U.S.", "riverly", "walked,", "end.",
]  # fmt: skip


def load_reference(folder: str, vocabulary: Path):
    """Imports run_squad and its tokenizer."""
    six = SimpleNamespace(PY2=False, PY3=True, iteritems=lambda table: table.items())
    tensorflow = MagicMock()
    tensorflow.gfile.GFile = lambda path, mode: Path(path).open(mode)  # noqa: SIM115
    sys.modules.update(tensorflow=tensorflow, six=six, modeling=MagicMock())
    sys.modules["optimization"] = MagicMock()
    sys.path.insert(0, folder)
    import run_squad
    import tokenization

    run_squad.FLAGS = MagicMock(
        version_2_with_negative=True, null_score_diff_threshold=0.0, verbose_logging=False
    )
    tokenization.validate_case_matches_checkpoint = lambda *_: None
    return run_squad, tokenization.FullTokenizer(str(vocabulary), do_lower_case=True)


def record(folder: str, scratch: Path) -> list[dict]:
    """Runs the reference on random questions, contexts and logits."""
    vocabulary = scratch / "vocab.txt"
    vocabulary.write_text("".join(f"{token}\n" for token in VOCABULARY))
    run_squad, tokenizer = load_reference(folder, vocabulary)
    generator = random.Random(0)
    cases = []
    for number in range(24):
        words = generator.choices(WORDS, k=generator.randint(1, 45))
        question = " ".join(generator.choices(["who", "lived", "in", "Ann", "?"], k=4))
        example = run_squad.SquadExample("id", question, words, is_impossible=False)
        length, stride = generator.choice([(24, 8), (40, 15), (64, 64), (384, 128)])
        features = []
        run_squad.convert_examples_to_features(
            [example], tokenizer, length, stride, 6, False, features.append
        )
        results = []
        for feature in features:
            logits = [[round(generator.gauss(0, 3), 3) for _ in feature.tokens] for _ in "se"]
            results.append(run_squad.RawResult(feature.unique_id, *logits))
        files = [str(scratch / name) for name in ("predictions", "n_best", "odds")]
        for threshold in (-1e9, 1e9):
            # Never, then always an answer; the second leaves its files.
            run_squad.FLAGS.null_score_diff_threshold = threshold
            run_squad.write_predictions([example], features, results, 20, 10, True, *files)
        n_best = json.loads(Path(files[1]).read_text())["id"]
        cases.append(
            {
                "question": question,
                "context": " ".join(words),
                "max_seq_length": length,
                "stride": stride,
                "input_ids": [feature.input_ids[: len(feature.tokens)] for feature in features],
                "is_max_context": [
                    list(collections.OrderedDict(feature.token_is_max_context).values())
                    for feature in features
                ],
                "start_logits": [result.start_logits for result in results],
                "end_logits": [result.end_logits for result in results],
                "answer": json.loads(Path(files[0]).read_text())["id"],
                "null_difference": json.loads(Path(files[2]).read_text())["id"],
                "null_score": next(
                    best["start_logit"] + best["end_logit"] for best in n_best if not best["text"]
                ),
                "number": number,
            }
        )
    return cases


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        recorded = {"vocabulary": VOCABULARY, "cases": record(sys.argv[1], Path(scratch))}
    path = HERE / "google_answers.json"
    path.write_text(json.dumps(recorded, ensure_ascii=False, separators=(",", ":")) + "\n")

"""Records what the official scorers say about made-up data.

Run with the official scripts, which are not part of this repository:

    python tests/golden/metrics/record.py evaluate-v2.0.py conlleval.pl

- `evaluate-v2.0.py`: SQuAD 2.0's official evaluation script; its exact match and F1 are those of
  1.1's script too, wherever an answer has a word.
- `conlleval.pl`: version 2004-01-26, of the CoNLL-2003 shared task.

The data come from `random.Random(1)`: no text of the real sets is in here.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
WORDS = [
    "the",
    "The",
    "a",
    "Paris",
    "paris.",
    "1,000",
    "1000",
    "U.S.",
    "an",
    "Alps",
    "-",
    "“x”",
    "é",
]
TAGS = ["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def record_squad(script: str, rng: random.Random) -> None:
    """Scores 200 made-up questions, a third of them without an answer."""
    questions = []
    for number in range(200):
        answers = [
            " ".join(rng.choices(WORDS, k=rng.randint(1, 4)))
            for _ in range(rng.randint(1, 3) if rng.random() < 0.67 else 0)
        ]
        guess = " ".join(rng.choices(WORDS, k=rng.randint(1, 4)))
        if answers and rng.random() < 0.4:
            guess = answers[-1]
        questions.append(
            {
                "id": str(number),
                "answers": answers,
                "prediction": guess,
                "null_difference": round(rng.gauss(-1.0 if answers else 1.0, 2.0), 6),
            }
        )
    data = {
        "data": [
            {
                "paragraphs": [
                    {"qas": [{"id": q["id"], "answers": [{"text": a} for a in q["answers"]]}]}
                    for q in questions
                ]
            }
        ]
    }
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("data", "predictions", "null")]
        files[0].write_text(json.dumps(data))
        files[1].write_text(json.dumps({q["id"]: q["prediction"] for q in questions}))
        files[2].write_text(json.dumps({q["id"]: q["null_difference"] for q in questions}))
        command = [sys.executable, script, str(files[0]), str(files[1])]
        # Thresholds apart, "no answer" is never given: the limit lies above all differences.
        command += ["--na-prob-file", str(files[2]), "--na-prob-thresh", "1000"]
        scores = json.loads(subprocess.check_output(command))
    golden = {"questions": questions, "scores": scores}
    (HERE / "squad.json").write_text(json.dumps(golden, ensure_ascii=False, indent=0))


def record_conlleval(script: str, rng: random.Random) -> None:
    """Scores 150 made-up sentences whose tags need not fit together."""
    sentences = []
    for _ in range(150):
        gold = rng.choices(TAGS, k=rng.randint(1, 9))
        guess = [tag if rng.random() < 0.7 else rng.choice(TAGS) for tag in gold]
        sentences.append([" ".join(gold), " ".join(guess)])
    lines = []
    for gold, guess in sentences:
        lines += [f"w {a} {b}" for a, b in zip(gold.split(), guess.split(), strict=True)] + [""]
    output = subprocess.check_output(["perl", script], input="\n".join(lines) + "\n", text=True)
    phrases, found, right = map(
        int, re.search(r"with (\d+) phrases; found: (\d+) phrases; correct: (\d+)", output).groups()
    )
    golden = {"sentences": sentences, "phrases": phrases, "found": found, "right": right}
    golden["line"] = output.splitlines()[1]
    (HERE / "conlleval.json").write_text(json.dumps(golden, indent=0))


if __name__ == "__main__":
    generator = random.Random(1)
    record_squad(sys.argv[1], generator)
    record_conlleval(sys.argv[2], generator)

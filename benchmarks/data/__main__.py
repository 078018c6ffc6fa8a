"""The data engine's figures.

    make bench-data BERTSMITH_DATA=/path/to/data [GOOGLE_BERT=/path/to/google-research-bert]

BERTSMITH_DATA holds `pretrain/{wiki_en,books_en,wiki_zh}.jsonl.zst`, `pretrain/*.xml.bz2` and
`vocab/google_*_vocab.txt`. GOOGLE_BERT is a checkout of github.com/google-research/bert; without
it the rows against Google's code are left out.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.data import examples, preparing, text_to_ids, vocabulary, wikipedia
from benchmarks.data.sources import Sources
from benchmarks.figures import Figure, print_table, save_results

GROUPS: dict[str, Callable[[Sources], Iterator[Figure]]] = {
    "ids": text_to_ids.figures,
    "prepare": preparing.figures,
    "scaling": preparing.scaling_figures,
    "vocabulary": vocabulary.figures,
    "examples": examples.figures,
    "seeking": examples.seeking_figures,
    "wikipedia": wikipedia.figures,
    "memory": preparing.memory_figures,
    "sameness": vocabulary.sameness_figures,
}


def main() -> None:
    """Measures, prints the table and writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--rounds", type=int, default=3, help="how often speeds are measured")
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results/data.json"))
    arguments = parser.parse_args()
    data = os.environ.get("BERTSMITH_DATA")
    if not data or not (Path(data) / "pretrain").is_dir():
        sys.exit("bench-data: set BERTSMITH_DATA to the folder with pretrain/ and vocab/")
    google = os.environ.get("GOOGLE_BERT")
    if google and not (Path(google) / "tokenization.py").is_file():
        sys.exit(f"bench-data: GOOGLE_BERT={google} is no checkout of google-research/bert")
    if not google:
        print("GOOGLE_BERT isn't set: rows against google-research/bert are left out")
    with tempfile.TemporaryDirectory() as work:
        sources = Sources(
            Path(data).resolve(),
            Path(google).resolve() if google else None,
            Path(work),
            arguments.rounds,
        )
        figures = []
        for group in arguments.only:
            print(f"measuring: {group}", file=sys.stderr, flush=True)
            measured = list(GROUPS[group](sources))
            save_results(arguments.results, measured)
            figures += measured
    print_table(figures)


if __name__ == "__main__":
    main()

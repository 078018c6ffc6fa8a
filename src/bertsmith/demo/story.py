"""The demo: from text on this machine to a fine-tuned BERT, and the report about it.

Each stage leaves its result in the demo's folder and is passed over when it is there already, so
a run that was stopped goes on where it was.
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bertsmith._files import atomic_file
from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.demo.corpus import (
    make_sentence_sets,
    split_off_labelled,
    write_corpus,
    write_sentence_sets,
)
from bertsmith.demo.gather import gather_docstrings
from bertsmith.demo.settings import DemoSettings
from bertsmith.errors import RecipeError
from bertsmith.inference import pipeline
from bertsmith.recipes import load_recipe
from bertsmith.store import write_store
from bertsmith.tasks import FinetuneRecipe, finetune
from bertsmith.training import PretrainRecipe, pretrain
from bertsmith.wordpiece import Tokenizer, learn_vocabulary

__all__ = ["SENTENCES", "Story"]

SENTENCES = (
    "returns true if the file [MASK] .",
    "raises an error if the [MASK] is invalid .",
    "the number of [MASK] in the array .",
    "the [MASK] of the matrix .",
    "if none , the default [MASK] is used .",
)


class Story:
    """One demo in one folder.

    Args:
        folder: where everything is written.
        settings: sizes and times; a folder made with others is refused.
        say: is told what happens, one line at a time.
        warn: is told what the user should know.

    Raises:
        RecipeError: the folder holds a demo with other settings.
    """

    def __init__(
        self,
        folder: Path,
        settings: DemoSettings,
        *,
        say: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self.folder, self.settings, self.say, self.warn = folder, settings, say, warn
        self.facts_path = folder / "facts.json"
        if folder.is_dir() and not self.facts_path.exists() and any(folder.iterdir()):
            raise RecipeError(
                "holds files that are no demo", where=folder, fix="give another --output"
            )
        folder.mkdir(parents=True, exist_ok=True)
        self.facts: dict[str, Any] = {}
        if self.facts_path.exists():
            self.facts = json.loads(self.facts_path.read_text(encoding="utf-8"))
        wanted = settings.model_dump()
        if self.facts.setdefault("settings", wanted) != wanted:
            raise RecipeError(
                "holds a demo with other settings", where=folder, fix="give another --output"
            )
        self._save()

    def run(self) -> None:
        """Tells the whole story; what is there already is kept."""
        self._stage("corpus", "gathering documentation that is on this machine", self._corpus)
        self._stage("vocabulary", "learning a vocabulary", self._vocabulary)
        self._stage("store", "turning text into token ids", self._store)
        self._stage("pretraining", "pre-training", self._pretraining)
        self._stage("samples", "filling in blanks", self._samples)
        self._stage("finetuning", "fine-tuning, from these weights and from scratch", self._tuning)

    def _stage(self, name: str, description: str, work: Callable[[], dict[str, Any]]) -> None:
        if name in self.facts:
            return
        number = len(self.facts)
        self.say(f"[{number}/6] {description}")
        started = time.monotonic()
        facts = work()
        seconds = max(time.monotonic() - started, facts.get("seconds", 0.0))
        self.facts[name] = {**facts, "seconds": round(seconds, 1)}
        self._save()

    def _save(self) -> None:
        with atomic_file(self.facts_path) as temporary:
            temporary.write_text(json.dumps(self.facts, indent=1) + "\n", encoding="utf-8")

    def _corpus(self) -> dict[str, Any]:
        settings = self.settings
        docstrings = gather_docstrings(settings.corpus_bytes)
        for_pretraining, labelled = split_off_labelled(docstrings, settings.labelled_share)
        sets = make_sentence_sets(
            labelled,
            num_packages=settings.num_packages,
            train_each=settings.train_sentences_each,
            test_each=settings.test_sentences_each,
        )
        write_corpus(for_pretraining, self.folder / "corpus.jsonl")
        write_sentence_sets(sets, self.folder / "sentences")
        sources: dict[str, int] = {}
        for doc in docstrings:
            sources[doc.package] = sources.get(doc.package, 0) + len(doc.text.encode())
        self.say(f"  {len(docstrings):,} documents, {sum(sources.values()) / 1e6:.1f} MB")
        return {
            "documents": len(docstrings),
            "sources": sources,
            "packages": sets.packages,
            "train_sentences": len(sets.train),
            "test_sentences": len(sets.test),
        }

    def _vocabulary(self) -> dict[str, Any]:
        corpus = open_corpus([str(self.folder / "corpus.jsonl")], CorpusSettings())
        texts = (document.text for document in corpus)
        vocabulary = learn_vocabulary(texts, size=self.settings.vocab_size)
        vocabulary.save(self.folder / "vocab.txt")
        self.say(f"  {len(vocabulary):,} tokens")
        return {"tokens": len(vocabulary)}

    def _store(self) -> dict[str, Any]:
        manifest = write_store(
            open_corpus([str(self.folder / "corpus.jsonl")], CorpusSettings()),
            Tokenizer(self.folder / "vocab.txt", lowercase=True),
            self.folder / "store",
            overwrite=True,
        )
        self.say(f"  {manifest.num_sentences:,} sentences, {manifest.num_tokens:,} tokens")
        return {
            "documents": manifest.num_documents,
            "sentences": manifest.num_sentences,
            "tokens": manifest.num_tokens,
        }

    def _pretraining(self) -> dict[str, Any]:
        recipe = load_recipe(
            PretrainRecipe,
            "pretrain",
            "tiny",
            [f"training.budget_seconds={self.settings.budget_seconds}"],
        )
        result = pretrain(self.folder / "store", recipe, self.folder / "pretrained", warn=self.warn)
        scores = result.scores
        self.say(
            f"  held-out MLM accuracy {scores['mlm_accuracy']:.1%}, unigram baseline "
            f"{scores['unigram_accuracy']:.1%}; NSP accuracy {scores['nsp_accuracy']:.1%}"
        )
        return {"steps": result.state.step, "scores": scores, "seconds": result.state.seconds}

    def _samples(self) -> dict[str, Any]:
        fill_mask = pipeline("fill-mask", str(self.folder / "pretrained"))
        samples = []
        for sentence in SENTENCES:
            guesses = [(guess["token_str"], guess["score"]) for guess in fill_mask(sentence)]
            shown = ", ".join(f"{word} {score:.0%}" for word, score in guesses[:4])
            self.say(f"  {sentence.replace('[MASK]', '___')}  {shown}")
            samples.append((sentence, guesses))
        return {"items": samples}

    def _tuning(self) -> dict[str, Any]:
        scores: dict[str, list[float]] = {"pre-trained": [], "from scratch": []}
        for seed in range(self.settings.num_seeds):
            for kind, found in scores.items():
                result = finetune(
                    "classify",
                    str(self.folder / "pretrained"),
                    self.folder / "sentences",
                    self._finetune_recipe(seed),
                    self.folder / "finetuned" / f"{kind.replace(' ', '-')}-{seed}",
                    from_scratch=kind == "from scratch",
                    warn=self.warn,
                )
                found.append(result.scores["accuracy"])
        facts: dict[str, Any] = {"num_labels": len(self.facts["corpus"]["packages"])}
        for kind, found in scores.items():
            mean, deviation = statistics.mean(found), statistics.stdev(found)
            self.say(f"  {kind:<12}  accuracy {mean:.1%} ± {deviation:.1%}")
            facts[kind] = {"scores": found, "mean": mean, "deviation": deviation}
        return facts

    def _finetune_recipe(self, seed: int) -> FinetuneRecipe:
        changes = {
            "learning_rate": self.settings.learning_rate,
            "num_epochs": self.settings.num_epochs,
            "global_batch_size": 16,
            "micro_batch_size": 16,
            "keep": "last",
            "seed": seed,
        }
        return load_recipe(
            FinetuneRecipe,
            "finetune",
            "default",
            [f"training.{name}={value}" for name, value in changes.items()],
        )

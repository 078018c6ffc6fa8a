"""Commands that mend something, with the names that the user gave."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bertsmith.corpus.cleaning_settings import without_effect
from bertsmith.corpus.options import changed_settings, option_words
from bertsmith.corpus.settings import CorpusSettings

__all__ = ["Commands"]

# What reading stops at, unless it is told to read over it; see `Source.fault`.
_FAULTS = (
    "bad_bytes",
    "nul_bytes",
    "lone_surrogates",
    "long_lines_cut",
    "long_records_dropped",
    "broken_records",
    "truncated_files",
    "broken_files",
    "empty_files",
)

# What a corpus that was written anew isn't read with.
_OF_THE_FILES = (
    "text_form",
    "text_column",
    "title_column",
    "xml_namespaces",
    "standard_input_format",
    "errors",
)


@dataclass(frozen=True)
class Commands:
    """Builds `bertsmith` commands about a corpus, with the options that it was read with.

    Args:
        corpus: files, folders and globs, as they were given.
        settings: how the corpus is read and cleaned.
        vocab_path: the vocabulary's path; None where there is none yet.
        cased: whether the vocabulary is used without lower-casing.
        store: the folder that `prepare` makes.

    Example:
        >>> commands = Commands(["a b.txt"], CorpusSettings(language="de"))
        >>> commands.prepare(text_form="document")
        "bertsmith prepare 'a b.txt' --vocab vocab.txt -o store --language de --text-form document"
        >>> commands.vocab(size=8000, language="fr")
        "bertsmith vocab 'a b.txt' -o vocab.txt --language fr --size 8000"
    """

    corpus: Sequence[str]
    settings: CorpusSettings
    vocab_path: str | None = None
    cased: bool = False
    store: str = "store"

    def prepare(self, **changes: object) -> str:
        """`bertsmith prepare` with some settings changed, or with `overwrite`."""
        casing = ["--cased"] if self.cased else []
        return _command(
            ["prepare", *self.corpus, "--vocab", self._vocab, "-o", self.store, *casing],
            _effective(self._options() | changes),
        )

    def vocab(self, **changes: object) -> str:
        """`bertsmith vocab`, likewise; also with `size`. It names a new file."""
        casing = ["--cased"] if self.cased else []
        output = "vocab.txt" if self.vocab_path is None else "new_vocab.txt"
        options = _effective(self._options() | changes)
        return _command(["vocab", *self.corpus, "-o", output, *casing], options)

    def learn(self, size: int) -> str:
        """`bertsmith vocab`, then `bertsmith prepare` with the new vocabulary."""
        output = "vocab.txt" if self.vocab_path is None else "new_vocab.txt"
        return f"{self.vocab(size=size)} && {replace(self, vocab_path=output).prepare()}"

    def pretrain(self, *changes: str) -> str:
        """`bertsmith prepare`, then `pretrain` with settings changed, each `path=value`."""
        words = [self.store, "--recipe", "tiny", "--budget", "10m", *_settings(*changes)]
        return f"{self.prepare()} && {_command(['pretrain', *words, '-o', 'runs/first'], {})}"

    def go_on(self) -> str:
        """`bertsmith prepare` with a model's vocabulary, then `bertsmith pretrain` from there.

        The recipe's own learning rate is one for fresh weights.
        """
        prepare = replace(self, vocab_path="MODEL", cased=False).prepare()
        words = [self.store, "--init", "MODEL", "--recipe", "tiny", "--budget", "10m"]
        words += [*_settings("training.learning_rate=1e-4"), "-o", "runs/domain"]
        return f"{prepare} && {_command(['pretrain', *words], {})}"

    def extend(self) -> str:
        """`bertsmith vocab extend` with the words of the corpus."""
        casing = ["--cased"] if self.cased else []
        words = ["vocab", "extend", *self.corpus, "--vocab", self._vocab, "-o", "new_vocab.txt"]
        return _command([*words, *casing], _effective(self._options()))

    def doctor(self, **changes: object) -> str:
        """`bertsmith doctor corpus`, to look again; it reads over broken text by itself."""
        options = self._options() | {"errors": None} | changes
        return _command(["doctor", "corpus", *self.corpus], options)

    def mend(self, fault: str, output: str, **changes: object) -> str:
        """`bertsmith doctor mend`, which writes the corpus anew, then `doctor corpus` on that.

        What needs no other options but another text can't be mended while it is read.

        Args:
            fault: what to mend, as for `bertsmith.doctor.mend`.
            output: the name of the new file, without its extension.
            **changes: settings to read with.
        """
        options = self._options()
        reading = {key: options[key] for key in ("language", *_OF_THE_FILES) if key in options}
        name = f"{output}.jsonl"
        while name in self.corpus:
            name = f"more_{name}"
        words = ["doctor", "mend", *self.corpus, "--fault", fault, "-o", name]
        return f"{_command(words, reading | changes)} && {self.look_at(name)}"

    def look_at(self, name: str) -> str:
        """`bertsmith doctor corpus` on the file that the corpus was written anew to."""
        options = self._options()
        left = {key: value for key, value in options.items() if key not in _OF_THE_FILES}
        return _command(["doctor", "corpus", name], left)

    def reading_over(self, counts: Mapping[str, int]) -> "Commands":
        """The same with `--errors replace`, where what was counted would stop a command."""
        if not any(counts.get(name) for name in _FAULTS):
            return self
        return replace(self, settings=self.settings.model_copy(update={"errors": "replace"}))

    @property
    def _vocab(self) -> str:
        return self.vocab_path or "vocab.txt"

    def _options(self) -> dict[str, object]:
        return changed_settings(self.settings)


def _effective(options: dict[str, object]) -> dict[str, object]:
    """Without what every command but `doctor corpus` refuses, as it would do nothing."""
    idle = without_effect(options)
    return {name: value for name, value in options.items() if name not in idle}


def _settings(*changes: str) -> list[str]:
    return [word for change in changes for word in ("--set", change)]


def _command(words: Sequence[str], options: Mapping[str, object]) -> str:
    return shlex.join(["bertsmith", *words, *option_words(options)])

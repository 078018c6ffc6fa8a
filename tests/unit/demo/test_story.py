"""The whole story in seconds, stopped on the way and taken up again."""

import json
import re

import pytest

from bertsmith.demo import DemoSettings, Story, story, write_demo_report
from bertsmith.errors import RecipeError

SMALL = DemoSettings(
    corpus_bytes=400_000,
    labelled_share=0.3,
    vocab_size=800,
    budget_seconds=3.0,
    num_packages=2,
    train_sentences_each=10,
    test_sentences_each=10,
    num_seeds=2,
    num_epochs=1,
)


def fail(line):
    raise AssertionError(line)


def test_story_stops_resumes_and_reports(tmp_path, monkeypatch):
    said = []

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    original = story.finetune
    monkeypatch.setattr(story, "finetune", stop)
    with pytest.raises(KeyboardInterrupt):
        Story(tmp_path, SMALL, say=said.append, warn=fail).run()
    monkeypatch.setattr(story, "finetune", original)
    again = []
    finished = Story(tmp_path, SMALL, say=again.append, warn=fail)
    finished.run()
    assert [line[:5] for line in said if line.startswith("[")] == [f"[{i}/6]" for i in range(1, 7)]
    assert [line[:5] for line in again if line.startswith("[")] == ["[6/6]"]

    facts = finished.facts
    assert facts["corpus"]["documents"] > 500
    tuning = facts["finetuning"]
    for kind in ("pre-trained", "from scratch"):
        assert len(tuning[kind]["scores"]) == 2
        assert tuning[kind]["mean"] == pytest.approx(sum(tuning[kind]["scores"]) / 2)
    labelled = (tmp_path / "sentences" / "train.tsv").read_text().splitlines()
    assert labelled[0] == "text\tlabel"
    texts = {line.split("\t")[0] for line in labelled[1:]}
    dev = (tmp_path / "sentences" / "dev.tsv").read_text().splitlines()
    held = {line.split("\t")[0] for line in dev[1:]}
    assert texts
    assert not texts & held

    report = write_demo_report(facts, tmp_path).read_text()
    assert f"{facts['pretraining']['scores']['mlm_accuracy']:.1%}" in report
    assert report.count("<svg") == 3
    assert not re.search(r"<(script|link|img)|(src|href)=\"(?!#)", report)

    with pytest.raises(RecipeError, match="other settings"):
        Story(tmp_path, SMALL.model_copy(update={"vocab_size": 900}), say=fail, warn=fail)
    assert json.loads((tmp_path / "facts.json").read_text()) == facts

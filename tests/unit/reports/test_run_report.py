"""The report of real runs: whole, safe, with everything that is promised; in a browser too."""

import json
import random
import re
import shutil
import subprocess

import pytest
import yaml

from bertsmith.errors import InputError, TrainingError
from bertsmith.recipes import load_recipe
from bertsmith.reports import write_run_report
from bertsmith.tasks import FinetuneRecipe, finetune, with_main_metric
from bertsmith.training import pretrain, read_run
from cli_runs import run, sentence
from seeing_runs import make_store, recipe


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of pre-training that differ in rate and steps, and one of fine-tuning."""
    folder = tmp_path_factory.mktemp("reports")
    store = make_store(folder)
    pretrain(store, recipe("training.num_steps=20"), folder / "first", warn=print)
    changes = ["training.num_steps=30", "training.learning_rate=1e-3"]
    pretrain(store, recipe(*changes), folder / "second", warn=print)
    rng = random.Random(1)
    (folder / "data").mkdir()
    for name in ("train", "dev"):
        rows = [f"{sentence(rng)}\t{number % 2}\n" for number in range(24)]
        (folder / "data" / f"{name}.tsv").write_text("text\tlabel\n" + "".join(rows))
    finetune(
        "classify",
        str(folder / "first"),
        folder / "data",
        load_recipe(FinetuneRecipe, "finetune", "small", ["training.log_every_steps=1"]),
        folder / "tuned",
        warn=print,
    )
    return folder


def report(path, *folders, **options):
    write_run_report([read_run(folder) for folder in folders], path, **options)
    return path.read_text()


def text_of(page):
    """What a reader sees, but for the plots."""
    without_plots = re.sub(r"<svg.*?</svg>|<style.*?</style>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", without_plots).split())


def test_one_run(runs, tmp_path):
    page = report(tmp_path / "page.html", runs / "first")
    # MLM and NSP loss and accuracy, learning rate, speed, share of the limit, waiting.
    assert page.count("<svg") == 8
    for label in ("held out", "training", "knows no context", "real tokens/s"):
        assert label in page
    text = text_of(page)
    last = [r for r in read_run(runs / "first").records if r["kind"] == "evaluation"][-1]
    assert f"held-out MLM accuracy {last['mlm_accuracy']:.1%}" in text
    assert f"held-out NSP loss, nats {last['nsp_loss']:.3f}" in text
    for what in ("training.learning_rate 0.002", "PyTorch 2.", "precision fp32", "finished yes"):
        assert what in text


def test_skipped_updates_are_counted(runs, tmp_path):
    ill = tmp_path / "ill"
    shutil.copytree(runs / "first", ill, symlinks=True)
    with (ill / "metrics.jsonl").open("a") as log:
        for step in (7, 8):
            log.write(json.dumps({"kind": "skipped", "step": step, "seconds": 1.0}) + "\n")
    text = text_of(report(tmp_path / "page.html", ill))
    assert "20 updates, 2 of them skipped in" in text
    assert "updates that were skipped 2" in text
    assert "skipped" not in text_of(report(tmp_path / "page.html", runs / "first")).replace(
        "max_skipped_updates", ""
    )


def test_nothing_is_fetched_and_nothing_runs(runs, tmp_path):
    page = report(tmp_path / "page.html", runs / "first", runs / "second")
    assert not re.search(r"<script|<link|src=|@import|href=\"http", page)


def test_side_by_side(runs, tmp_path):
    page = report(tmp_path / "page.html", runs / "first", runs / "second")
    text = text_of(page)
    assert "2 runs side by side" in text
    differ = text.partition("Settings that differ")[2].partition("Machine and versions")[0]
    assert "training.learning_rate 0.002 0.001" in differ
    assert "training.num_steps 20 30" in differ
    assert "weight_decay" not in differ
    # Of its two lines only one is in a legend: eight plots.
    assert page.count(">first</text>") == page.count(">second</text>") == 8
    assert "Masked LM: loss; thin: training" in page


def test_pairs_that_may_be_swapped_are_not_called_next_sentence(runs, tmp_path):
    swapped = tmp_path / "swapped"
    shutil.copytree(runs / "second", swapped)
    content = yaml.safe_load((swapped / "recipe.yaml").read_text())
    content["examples"]["pair_labels"] = "order"
    (swapped / "recipe.yaml").write_text(yaml.safe_dump(content))
    page = report(tmp_path / "page.html", swapped)
    assert "held-out sentence order accuracy" in text_of(page)
    assert "Sentence order: accuracy" in page
    assert "NSP" not in page.partition("Settings")[0]
    both = report(tmp_path / "both.html", runs / "first", swapped)
    assert "held-out NSP or sentence order loss, nats" in text_of(both)
    assert "Next sentence or Sentence order: loss" in both


def test_runs_of_the_same_name_are_told_apart(runs, tmp_path):
    for name in ("a", "b"):
        shutil.copytree(runs / "first", tmp_path / name / "run")
    page = report(tmp_path / "page.html", tmp_path / "a" / "run", tmp_path / "b" / "run")
    assert "a/run" in text_of(page)
    assert "b/run" in text_of(page)


def test_fine_tuning(runs, tmp_path):
    text = text_of(report(tmp_path / "page.html", runs / "tuned", x="seconds"))
    assert "Fine-tuning classify" in text
    score = with_main_metric(read_run(runs / "tuned")).scores["accuracy"]
    assert f"accuracy {score:,.4g}" in text
    assert "Classification: loss" in text


def test_scores_are_those_of_the_model_that_was_kept(runs, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(runs / "tuned" / "recipe.yaml", folder)
    lines = map(json.loads, (runs / "tuned" / "metrics.jsonl").read_text().splitlines())
    scores = iter({"accuracy": value, "is_kept": False} for value in (0.25, 0.875, 0.5, 0.375))
    changed = [line | next(scores) if line["kind"] == "evaluation" else line for line in lines]

    def write():
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in changed))

    write()  # as an older version's, which doesn't say it
    assert "accuracy 0.875 " in text_of(report(tmp_path / "best.html", folder))
    # After a stop the best model may have been lost, and another one kept.
    later = next(line for line in changed if line.get("accuracy") == 0.5)
    later["is_kept"] = True
    write()
    assert "accuracy 0.5 " in text_of(report(tmp_path / "kept.html", folder))
    later["is_kept"] = False
    write()
    recipe_path = folder / "recipe.yaml"
    recipe_path.write_text(recipe_path.read_text().replace("keep: best", "keep: last"))
    assert "accuracy 0.375 " in text_of(report(tmp_path / "last.html", folder))


def test_samples(runs, tmp_path):
    # The words of the default sentences are not in this vocabulary.
    assert "blank" not in text_of(report(tmp_path / "page.html", runs / "first"))
    asked = "the old [MASK] ."
    text = text_of(report(tmp_path / "page.html", runs / "first", sentences=[asked]))
    assert re.search(r"blank the old \[MASK\] \. \S+ \d+ %", text)
    with pytest.raises(InputError, match="MASK"):
        report(tmp_path / "page.html", runs / "first", sentences=["no blank ."])


def test_each_mask_has_its_guesses(runs, tmp_path):
    sentence = "the [MASK] [MASK] ."
    text = text_of(report(tmp_path / "page.html", runs / "first", sentences=[sentence]))
    for number in (1, 2):
        row = rf"the \[MASK\] \[MASK\] \. \(\[MASK\] {number} of 2\)( \S+ \d+ %){{5}}"
        assert re.search(row, text)


def test_who_fills_no_blanks_is_told(runs, tmp_path, capsys):
    unfinished = tmp_path / "unfinished"
    shutil.copytree(runs / "first", unfinished)
    (unfinished / "model.safetensors").unlink()
    folders = [runs / "first", runs / "tuned", unfinished]
    page = ["-o", tmp_path / "page.html"]
    assert run("report", *folders, "--fill", "the old [MASK] .", *page) == 0
    assert capsys.readouterr().err == (
        f"bertsmith: --fill: {runs / 'tuned'} is fine-tuned and fills no blanks\n"
        f"bertsmith: --fill: {unfinished} is not finished and has no model yet that fills blanks\n"
    )
    assert run("report", *folders, *page) == 0
    assert capsys.readouterr().err == ""


def test_a_run_that_goes_on_or_is_of_an_older_version(runs, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(runs / "first" / "recipe.yaml", folder)
    lines = (runs / "first" / "metrics.jsonl").read_text().splitlines()
    old = [
        {key: line[key] for key in line if key not in ("mfu", "waiting_share", "unigram_loss")}
        for line in map(json.loads, lines)
        if line["kind"] == "train"
    ]
    content = "".join(json.dumps(line) + "\n" for line in old)
    (folder / "metrics.jsonl").write_text(content + '{"kind": "tra')
    page = report(tmp_path / "page.html", folder)
    assert "not finished" in text_of(page)
    # Losses and accuracies of training alone, learning rate, speed.
    assert page.count("<svg") == 6


def test_only_settings_in_force_are_shown_and_the_share_says_of_what(runs, tmp_path):
    """A run by the clock has no number of updates, and two machines have two limits."""
    clock = tmp_path / "clock"
    shutil.copytree(runs / "first", clock, symlinks=True)
    values = yaml.safe_load((clock / "recipe.yaml").read_text())
    values["training"] |= {"budget_seconds": 77.5, "num_steps": 987654}
    (clock / "recipe.yaml").write_text(yaml.safe_dump(values))
    page = text_of(report(tmp_path / "page.html", runs / "first", clock))
    assert "training.budget_seconds 77.5" in page
    assert "987654" not in page
    assert re.search(r"hardware&\S+ limit, median [\d.]+% of [\d.]+ TFLOP/s", page)


def test_long_settings_that_differ_at_their_end_are_told(runs, tmp_path):
    folders = []
    for name in ("one", "two"):
        folders.append(tmp_path / name)
        shutil.copytree(runs / "second", folders[-1])
        path = folders[-1] / "recipe.yaml"
        content = yaml.safe_load(path.read_text())
        content["run"]["init"] = f"/a/long/way/to/the/place/where/models/stand/{name}"
        path.write_text(yaml.safe_dump(content))
    text = text_of(report(tmp_path / "page.html", *folders))
    assert re.search(r"run\.init /a/long/\S+…\S+/stand/one /a/long/\S+…\S+/stand/two ", text)
    assert "All settings are the same." not in text


DOUBT = "The held-out scores are of different examples and hardly compare; other: "


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"seed": 1}, ""),
        ({"seed": 1, "held_out_seed": None}, "training.held_out_seed."),
        ({"held_out_fraction": 0.2}, "training.held_out_fraction."),
    ],
)
def test_held_out_scores_that_do_not_compare_are_told(runs, tmp_path, capsys, other, told):
    old = tmp_path / "old"
    shutil.copytree(runs / "second", old)
    content = yaml.safe_load((old / "recipe.yaml").read_text())
    content["training"] |= other
    if content["training"]["held_out_seed"] is None:
        del content["training"]["held_out_seed"]  # as older versions write it
    (old / "recipe.yaml").write_text(yaml.safe_dump(content))
    page = tmp_path / "page.html"
    assert run("report", runs / "first", old, runs / "tuned", "-o", page) == 0
    assert capsys.readouterr().err == (f"bertsmith: {DOUBT}{told}\n" if told else "")
    assert (DOUBT in text_of(page.read_text())) == bool(told)
    assert DOUBT + told in text_of(page.read_text()) or not told


def test_other_stores_and_lengths_are_told(runs, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(runs / "second", old)
    content = yaml.safe_load((old / "recipe.yaml").read_text())
    content["run"]["store"]["shards"] = "others"
    content["examples"]["whole_word_masking"] = True
    (old / "recipe.yaml").write_text(yaml.safe_dump(content))
    log = old / "metrics.jsonl"
    log.write_text(log.read_text().replace('"max_seq_length": 32', '"max_seq_length": 64'))
    names = "the store, examples.max_seq_length, examples.whole_word_masking."
    assert DOUBT + names in text_of(report(tmp_path / "page.html", runs / "first", old))
    assert DOUBT not in text_of(report(tmp_path / "page.html", old))


def test_no_run(tmp_path):
    with pytest.raises(TrainingError, match="no run's folder"):
        report(tmp_path / "page.html", tmp_path)


def test_command(runs, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert run("report", runs / "first", runs / "second", "-o", page, "--x", "seconds") == 0
    assert "open it in a browser" in capsys.readouterr().out
    assert "seconds of training" in page.read_text()
    for arguments, message in (
        ([runs / "second", runs / "first", runs / "second/../first"], "first: is given twice"),
        ([runs / "first", "--x", "days"], "--x days: is neither step nor seconds"),
        ([tmp_path / "nowhere"], "does not exist"),
    ):
        assert run("report", *arguments, "-o", page) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_no_file_of_a_run_is_replaced(runs, tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        shutil.copytree(runs / "first", folder, symlinks=True)
    before = {path: path.read_bytes() for path in second.rglob("*") if path.is_file()}
    for file in [second / name for name in ("metrics.jsonl", "recipe.yaml", "model.safetensors")]:
        for command in (
            ["report", first, second, "-o", file, "--overwrite"],
            ["doctor", "run", second, "--html", file, "--overwrite"],
        ):
            assert run(*command) == 2
            assert f"{file}: is read by this command" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before
    # Beside them a page may stand.
    for _ in range(2):
        assert run("report", second, "-o", second / "report.html") == 0


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium")
def test_a_browser_shows_it(runs, tmp_path):
    page = tmp_path / "page.html"
    report(page, runs / "first", runs / "second")
    picture = tmp_path / "page.png"
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    size = ["--window-size=1200,2400", f"--screenshot={picture}", page.as_uri()]
    subprocess.run(
        [*command, f"--user-data-dir={tmp_path / 'profile'}", *size],
        check=True,
        capture_output=True,
        timeout=120,
    )
    from PIL import Image

    with Image.open(picture) as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 24)}
    # The first two colours of the curves.
    assert {(0x1F, 0x5F, 0xA8), (0xD1, 0x64, 0x1B)} <= colours

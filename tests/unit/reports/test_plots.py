"""The axes of plots: numbers that can be read, and no run that hides another."""

import json
import re
from itertools import pairwise

import pytest

from bertsmith.reports import run_curves
from bertsmith.reports.plots import Series, line_plot
from bertsmith.reports.run_curves import _Plots, curves
from bertsmith.training import RunLog, read_run

# Points of a character of the font, at most, and the plots of a report.
_CHARACTER, _SIZE = 6.5, (5.0, 2.9)


def numbers(svg, axis):
    """The numbers beside an axis: (place in points, text)."""
    found = []
    for part in re.findall(rf'<g id="{axis}tick_.*?</text>', svg, flags=re.DOTALL):
        text = re.search(r"<text[^>]*>([^<]*)</text>", part)
        place = re.search(r"translate\(([\d.]+) ([\d.]+)\)", text[0]) or re.search(
            r'x="([\d.]+)" y="([\d.]+)"', text[0]
        )
        found.append((float(place[1 if axis == "x" else 2]), text[1]))
    return found


@pytest.mark.parametrize(
    "last", [3, 10, 999, 1_300, 2_000, 5_000, 9_999, 20_000, 60_000, 123_456, 400_000, 1_000_000]
)
def test_numbers_below_a_plot_keep_apart(last):
    svg = line_plot([Series("", [0, last], [0.0, 1.0])], x_label="updates", y_label="%", size=_SIZE)
    found = numbers(svg, "x")
    assert len(found) >= 3
    for (left, text), (right, next_text) in pairwise(found):
        assert right - left > _CHARACTER * (len(text) + len(next_text)) / 2 + 2


def test_scores_below_zero_are_seen():
    for values, shown in (([-0.5, -0.1, 0.6], True), ([0.2, 0.4, 0.6], False)):
        svg = line_plot([Series("", [0, 1, 2], values)], x_label="", y_label="pearson", size=_SIZE)
        texts = [text for _, text in numbers(svg, "y")]
        # matplotlib writes U+2212.
        assert any(text.startswith("\N{MINUS SIGN}") for text in texts) == shown
        assert any(float(text.replace("\N{MINUS SIGN}", "-")) == 0 for text in texts)


def test_any_name_is_in_the_legend_as_it_is():
    names = ["_first", "cost $5 and $6", "a_{b$ $", "plain"]
    lines = [Series(name, [0, 1], [1.0, 2.0]) for name in ["", *names]]
    svg = line_plot(lines, x_label="updates", y_label="%", size=_SIZE)
    assert [name for name in names if f">{name}</text>" not in svg] == []


def test_letters_that_the_font_lacks_are_left_to_the_browser():
    """A warning of the library's is an error here."""
    lines = [Series(name, [0, 1], [1.0, 2.0]) for name in ("移动", "한국어")]
    svg = line_plot(lines, x_label="updates", y_label="%", size=_SIZE)
    assert ">移动</text>" in svg
    assert ">한국어</text>" in svg


@pytest.mark.parametrize(
    ("score", "of_ignorance"),
    [("nsp_accuracy", "majority_accuracy"), ("mlm_accuracy", "unigram_accuracy"),
     ("ltr_accuracy", "unigram_accuracy")],
)  # fmt: skip
def test_each_phase_has_its_own_baseline(tmp_path, score, of_ignorance):
    (tmp_path / "recipe.yaml").write_text("training: {}\n")
    shares = {10: 0.75, 20: 0.75, 30: 0.5, 40: 0.5}
    records = [{"kind": "train", "step": 5, score: 0.7}]
    records += [
        {"kind": "evaluation", "step": step, score: 0.7, of_ignorance: share}
        for step, share in shares.items()
    ]
    lines = [json.dumps({"seconds": 1.0, **record}) + "\n" for record in records]
    (tmp_path / "metrics.jsonl").write_text("".join(lines))
    plots = _Plots([read_run(tmp_path)], ["run"], "step")
    (baseline,) = plots._baseline(score, 100.0)
    assert baseline.dashed
    assert baseline.x == [0, 20, 20, 40]
    assert baseline.y == [75, 75, 50, 50]


def a_run(path, losses):
    records = [
        {"kind": "train", "step": 20 * number, "seconds": number, "mlm_loss": loss}
        for number, loss in enumerate(losses, 1)
    ]
    return RunLog(path, {}, records)


def test_a_run_that_blew_up_hides_no_other(tmp_path):
    healthy = a_run(tmp_path / "a", [10.2, 8.0, 7.0, 6.5, 6.1, 5.9])
    blown = a_run(tmp_path / "b", [900_000.0, 300_000.0, 90_000.0, 70_000.0, 62_000.0, 62_000.0])
    figure = curves([healthy, blown], ["a", "b"], "step")[0]
    assert figure.caption.startswith("Masked LM: loss (logarithmic)")
    texts = [text for _, text in numbers(figure.svg, "y") if text]
    assert {"10", "1,000", "100,000"} <= set(texts)
    # Alone, and beside one like it, it stays as it was.
    other = a_run(tmp_path / "c", [30.0, 8.0, 7.0, 6.5, 6.1, 0.2])
    for runs in ([blown], [healthy, other]):
        assert "logarithmic" not in curves(runs, ["a", "b"][: len(runs)], "step")[0].caption


def lines_of(monkeypatch, run, x):
    """What the first plot of a run draws: its points by what the legend calls them."""
    drawn = []
    monkeypatch.setattr(run_curves, "line_plot", lambda lines, **_: drawn.append(lines) or "")
    curves([run], ["a"], x)
    return {line.label: list(line.x) for line in drawn[0]}


def test_no_stretch_of_short_lines_is_left_out(monkeypatch, tmp_path):
    """One that logs more often from a resume on, at three times the speed; one cut line in each."""
    steps = [*range(100, 1001, 100), *range(1010, 1300, 10)]
    cut = [413, 417, 1134]
    seconds = {step: step if step <= 1000 else 1000 + (step - 1000) / 3 for step in steps + cut}
    records = [
        {"kind": "train", "step": step, "seconds": seconds[step], "mlm_loss": 5.0}
        for step in sorted(steps + cut)
    ]
    evaluated = [200, 400, 430, *range(600, 1001, 200), *range(1020, 1300, 20)]
    records += [{"kind": "evaluation", "step": n, "seconds": n, "mlm_loss": 5.0} for n in evaluated]
    run = RunLog(tmp_path / "a", {}, records)
    drawn = lines_of(monkeypatch, run, "step")
    assert drawn["training"] == steps
    assert drawn["held out"] == evaluated
    drawn = lines_of(monkeypatch, run, "seconds")
    assert drawn["training"] == [seconds[step] for step in steps]

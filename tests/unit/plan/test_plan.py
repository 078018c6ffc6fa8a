"""Plans: the table of devices, recipes that run, what they cost."""

import json
from pathlib import Path

import pytest
import yaml

from bertsmith.doctor.learning_rates import highest_adam_rate
from bertsmith.errors import RecipeError
from bertsmith.model import SIZES, BertConfig, BertForPreTraining
from bertsmith.plan import PlannedCorpus, find_device, make_plan
from bertsmith.plan.loss import (
    loss_points,
)
from bertsmith.plan.planning import _encoder_parameters
from bertsmith.plan.throughput import device_names
from bertsmith.recipes import load_recipe
from bertsmith.training import PretrainRecipe, read_run
from cli_runs import run
from seeing_runs import make_store

CORPUS = PlannedCorpus.of_bytes(10**10)


@pytest.mark.parametrize("name", device_names())
def test_every_device_has_every_size(name):
    device = find_device(name)
    assert device.mfu.keys() == SIZES.keys()
    assert all(0 < share < 1 for share in device.mfu.values())
    assert device.measured.keys() <= {"matmul_tflops", *SIZES}
    assert device.is_gpu == (name != "cpu")
    assert device.is_estimated("base") == (not {"matmul_tflops", "base"} <= device.measured.keys())


def test_an_unknown_device_is_told():
    with pytest.raises(RecipeError, match=r"abacus.*h100.*--measure"):
        find_device("abacus")


def test_speed_is_the_share_of_the_rate():
    device = find_device("h200")
    rate = device.tokens_per_second("large", BertConfig.of_size("large"), 128, 128)
    # 0.445 of 790 TFLOP/s; a token of large at length 128 is 1.93 GFLOP: 24 · (8·2²⁰ + 16·2²⁰)
    # for its layers, attention and predictions besides, three times.
    assert rate == pytest.approx(0.445 * 790e12 / 1.96e9, rel=0.05)


@pytest.mark.parametrize("hours", [0.1, 5, 100])
@pytest.mark.parametrize("name", ["h100", "cpu"])
def test_recipes_load_and_fill_the_time(name, hours, tmp_path):
    for size in SIZES:
        plan = make_plan(CORPUS, find_device(name), hours, sizes=[size])
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump(plan.recipe))
        recipe = load_recipe(PretrainRecipe, "pretrain", str(path))
        assert recipe.model.size == size
        training = recipe.training
        assert training.global_batch_size % training.micro_batch_size == 0
        planned = plan.chosen
        assert training.num_steps == planned.num_steps
        # Updates times tokens over speed is the time that there is, less what is lost; long
        # sequences cost more attention.
        tokens = planned.num_steps * training.global_batch_size * 113 * 3600**-1
        assert tokens / planned.tokens_per_second == pytest.approx(hours * 0.96, rel=0.25)


MEASURED = Path(__file__).parents[3] / "benchmarks" / "results" / "gpu.json"


@pytest.mark.parametrize("size", ["base", "large"])
def test_measured_speeds_are_those_of_the_benchmark(size):
    figures = {f["name"]: f for f in json.loads(MEASURED.read_text())["figures"]}
    figure = figures[f"BERT-{size}, length 128: sequences"]
    assert "H100" in figure["details"]["device"]
    device = find_device("h100")
    length = 128 * figure["details"]["real tokens of all at this length"]
    tokens = device.tokens_per_second(size, BertConfig.of_size(size), 128, length)
    assert tokens / length == pytest.approx(figure["ours"], rel=0.2)
    assert not device.is_estimated(size)
    assert "make bench-gpu" in device.measured[size]


@pytest.mark.parametrize("num_devices", [3, 8, 24])
def test_every_device_gets_an_equal_part(num_devices):
    for size in SIZES:
        plan = make_plan(CORPUS, find_device("l4"), 1, num_devices=num_devices, sizes=[size])
        training = plan.recipe["training"]
        share, rest = divmod(training["global_batch_size"], num_devices)
        assert rest == 0
        # As many forward passes as there have to be, and all alike but for the last.
        passes = -(-share // training["micro_batch_size"])
        assert passes * training["micro_batch_size"] - share < passes
        assert plan.chosen.is_estimated


@pytest.mark.parametrize("size", SIZES)
def test_no_rate_is_one_that_the_doctor_calls_too_high(size):
    """Large batches take higher rates, up to what models of the size bear."""
    for hours in (1, 24, 240):
        plan = make_plan(CORPUS, find_device("h100"), hours, num_devices=8, sizes=[size])
        rate = plan.recipe["training"]["learning_rate"]
        assert rate <= highest_adam_rate(BertConfig.of_size(size).hidden_size)
    assert rate > load_recipe(PretrainRecipe, "pretrain", size).training.learning_rate


def test_a_size_fits_its_text():
    device = find_device("h100")
    little = make_plan(PlannedCorpus.of_bytes(5 * 10**6), device, 24)
    assert little.chosen.size == "small"
    assert [size.size for size in little.sizes if size.is_too_large] == ["medium", "base", "large"]
    assert all(size.loss.is_extrapolated for size in little.sizes)
    hardly_any = make_plan(PlannedCorpus.of_bytes(1000), device, 24, sizes=["large", "tiny"])
    assert hardly_any.chosen.size == "tiny"
    # Who asks for one size gets it.
    asked = make_plan(PlannedCorpus.of_bytes(1000), device, 24, sizes=["large"])
    assert asked.chosen.size == "large"
    # The runs that the rule is fitted to aren't too large for their texts.
    assert all(p["parameters"] <= 15 * p["text_tokens"] for p in loss_points())


@pytest.mark.parametrize("num_bytes", [500, 10_000, 300_000, 5 * 10**6])
@pytest.mark.parametrize("num_devices", [1, 3])
def test_an_epoch_has_several_batches(num_bytes, num_devices):
    corpus = PlannedCorpus.of_bytes(num_bytes * num_devices)
    for name in ("h100", "cpu"):
        plan = make_plan(corpus, find_device(name), 24, num_devices=num_devices)
        for size in plan.sizes:
            batch = size.global_batch_size
            assert batch % num_devices == 0
            assert size.micro_batch_size * num_devices <= batch
            # But for one example a device, which is the least.
            assert batch * 8 <= size.epoch_examples or batch == num_devices
            assert batch <= size.epoch_examples
            if size.is_small_batch:
                assert size.num_steps <= 1_000_000
            recipe = make_plan(corpus, find_device(name), 24, sizes=[size.size]).recipe
            PretrainRecipe.model_validate(recipe)


def test_hours_that_no_update_fills_are_not_charged(bertsmith, tmp_path):
    path = tmp_path / "recipe.yaml"
    few, many = (
        make_plan(PlannedCorpus.of_bytes(10**6), find_device("h100"), hours, price_per_hour=2.0)
        for hours in (1, 100)
    )
    assert (few.chosen.hours, few.cost) == (1, 2.0)
    planned = many.chosen
    assert planned.num_steps == 1_000_000
    tokens = planned.num_steps * planned.global_batch_size * 113
    needed = tokens / planned.tokens_per_second / 3600 / 0.96
    assert planned.hours == pytest.approx(needed, rel=1e-3)
    assert many.cost == pytest.approx(2 * needed, rel=1e-3)
    arguments = ["plan", "--corpus-bytes", "1MB", "--gpu", "h100", "--hours", "100", "-o", path]
    code, out, _ = bertsmith(*arguments, "--price-per-hour", "2")
    assert code == 0
    assert f"they take about {needed:.1f} h of the 100" in out
    assert f"  {2 * needed:.2f}\n" in out
    assert f", {needed:.1f} h. bertsmith pretrain" in path.read_text().splitlines()[0]


def test_much_text_keeps_its_batch():
    sizes = make_plan(CORPUS, find_device("h100"), 24).sizes
    assert not any(size.is_small_batch for size in sizes)
    assert {size.global_batch_size for size in sizes if size.size == "tiny"} == {4096}


def test_a_recipe_for_hardly_any_text_runs(bertsmith, tmp_path):
    little = make_store(tmp_path, num_documents=4)
    path, run = tmp_path / "recipe.yaml", tmp_path / "run"
    code, out, _ = bertsmith(
        "plan", "--store", little, "--gpu", "cpu", "--hours", "1", "--size", "tiny", "-o", path
    )
    assert code == 0
    assert "  an epoch has about" in out
    assert ", with 0.0 million" not in out
    code, _, err = bertsmith(
        "pretrain", little, "--recipe", path, "-o", run, "--set", "training.num_steps=2"
    )
    assert code == 0, err
    log = read_run(run)
    assert log.setting("training.global_batch_size") <= log.facts["epoch_examples"] / 2


def test_a_single_document_is_no_plan(bertsmith, tmp_path):
    path = tmp_path / "recipe.yaml"
    code, out, err = bertsmith(
        "plan", "--store", make_store(tmp_path, 1), "--gpu", "cpu", "--hours", "1", "-o", path
    )
    assert (code, out) == (2, "")
    assert "store: has one document alone" in err
    assert err.count("\n") == 1
    assert not path.exists()


def test_more_time_takes_larger_models_and_costs_more():
    order = list(SIZES)
    device = find_device("a100")
    plans = [make_plan(CORPUS, device, h, price_per_hour=2.0) for h in (0.02, 1, 30)]
    chosen = [order.index(plan.chosen.size) for plan in plans]
    assert chosen == sorted(chosen)
    assert chosen[0] < chosen[-1]
    assert [plan.cost for plan in plans] == [0.04, 2.0, 60.0]
    eight = make_plan(CORPUS, device, 1, num_devices=8, price_per_hour=2.0)
    assert eight.cost == 16.0
    one, all_eight = (plan.sizes[-1].tokens_per_second for plan in (plans[1], eight))
    assert all_eight / one == pytest.approx(1 + 7 * 0.92)


def test_parameters_are_those_of_the_layers():
    config = BertConfig.of_size("tiny", vocab_size=10)
    layers = BertForPreTraining(config).bert.encoder.named_parameters()
    matrices = sum(p.numel() for _, p in layers if p.ndim == 2)
    assert _encoder_parameters(config) == matrices


def test_a_store_is_measured(store):
    corpus = PlannedCorpus.of_store(store)
    assert not corpus.is_estimated
    assert corpus.num_tokens > 1000
    assert 20 < corpus.mean_lengths[128] < 128


def test_command(bertsmith, tmp_path):
    path = tmp_path / "recipe.yaml"
    arguments = ["plan", "--corpus-bytes", "13GB", "--gpu", "h100", "--hours", "24"]
    code, out, _ = bertsmith(*arguments, "--price-per-hour", "2.5", "-o", path)
    assert code == 0
    assert "← take this" in out
    assert "cost           60.00" in out
    assert f"--recipe {path} " in out
    load_recipe(PretrainRecipe, "pretrain", str(path))
    code, out, _ = bertsmith(*arguments, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["chosen"] in SIZES
    assert len(found["sizes"]) == len(SIZES)
    assert found["recipe"]["training"]["num_steps"] > 1000


def test_several_gpus_and_little_text(bertsmith, tmp_path):
    path = tmp_path / "my recipe.yaml"
    arguments = ["plan", "--corpus-bytes", "1TB", "--gpu", "h100", "--hours", "9", "-o", path]
    code, out, _ = bertsmith(*arguments, "--gpus", "4", "--overwrite")
    assert code == 0
    assert "torchrun --standalone --nproc-per-node 4 -m bertsmith pretrain store" in out
    assert f"--recipe '{path}'" in out
    assert "92 %" in out
    assert "base, large: measured (one H100" in out
    code, out, _ = bertsmith(*arguments, "--gpus", "16", "--overwrite")
    assert "torchrun --nnodes 2 --nproc-per-node 8 " in out
    code, out, _ = bertsmith("plan", "--corpus-bytes", "5MB", "--gpu", "h100", "--hours", "24")
    assert code == 0
    assert "too large: for so little text" in out
    assert "the text is gone through" in out
    code, _, error = bertsmith("plan", "--corpus-bytes", "5MB", "--gpu", "h100", "--hours", "inf")
    assert code == 2
    assert "--hours" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gpu", "h100"], "--corpus-bytes, --store: give one of the two"),
        (["--corpus-bytes", "1GB"], "--gpu: say what to train on; or --measure this machine"),
        (["--corpus-bytes", "1GB", "--gpu", "h100", "--measure"], "--measure takes its place"),
        (
            ["--corpus-bytes", "1GB", "--gpu", "h100", "--price-per-hour", "inf"],
            "--price-per-hour inf: is no price",
        ),
        (["--corpus-bytes", "much", "--gpu", "h100"], "--corpus-bytes much: is no size"),
        (["--corpus-bytes", "1GB", "--gpu", "abacus"], "--gpu abacus: is no device"),
        (["--corpus-bytes", "1GB", "--gpu", "cpu", "--size", "huge"], "--size huge: is no size"),
        (["--store", "nowhere", "--gpu", "cpu"], "nowhere: does not exist"),
        (
            ["--corpus-bytes", "100", "--gpu", "cpu"],
            "100 bytes of text: so little text is 0 examples an epoch, not even one; give more",
        ),
        (
            ["--corpus-bytes", "2000", "--gpu", "h100", "--gpus", "8"],
            "5 examples an epoch, fewer than the 8 devices; give more text, or fewer --gpus",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(bertsmith, arguments, message):
    code, out, error = bertsmith("plan", "--hours", "1", *arguments)
    assert (code, out) == (2, "")
    assert message in error
    assert error.count("\n") == 1


def test_the_size_to_take_says_that_even_it_is_too_large(capsys):
    """Of some thousand tokens no size is small enough; one given twice is listed once."""
    few = ("plan", "--corpus-bytes", "20000", "--gpu", "cpu", "--hours", "1")
    assert run(*few, "--size", "tiny", "--size", "tiny") == 0
    out = capsys.readouterr().out
    rows = [line for line in out.splitlines() if line.lstrip().startswith("tiny ")]
    assert len(rows) == 1
    assert rows[0].endswith("← take this, though too large")
    assert run("plan", "--corpus-bytes", "5GB", "--gpu", "h100", "--hours", "1") == 0
    out = capsys.readouterr().out
    assert "← take this\n" in out
    assert "though" not in out

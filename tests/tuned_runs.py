"""Fine-tuning runs of seconds, and their data."""

from cli_runs import WORDS

QUICK = (
    "--set", "training.num_epochs=1", "--set", "training.precision=fp32",
    "--set", "training.global_batch_size=8", "--set", "training.micro_batch_size=8",
)  # fmt: skip
SENTENCES = [f"the {one} {other} ." for one in WORDS[:6] for other in WORDS[6:12]]


def write_glue(folder, header, rows):
    folder.mkdir(exist_ok=True)
    for name, lines in (("train", rows), ("dev", rows[:12])):
        text = "".join("\t".join(map(str, line)) + "\n" for line in (header, *lines))
        (folder / f"{name}.tsv").write_text(text)
    return folder

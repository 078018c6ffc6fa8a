"""Needs no download: reads the documentation of installed packages. Ctrl-C and again resumes.

Example: bertsmith demo
"""

from pathlib import Path

import typer

from bertsmith.cli.output import parse_duration, say, warn
from bertsmith.cli.stopping import exit_code

__all__ = ["command"]


def command(
    output: Path = typer.Option(Path("demo"), "-o", "--output", help="The demo's folder."),
    budget: str = typer.Option("240s", help="Length of pre-training: 90s, 10m, 1h."),
    megabytes: float = typer.Option(10.0, min=0.3, help="Text to gather."),
) -> None:
    """Runs the command."""
    import time

    from bertsmith.demo import DemoSettings, Story, own_text_commands, write_demo_report
    from bertsmith.training import Interrupted

    started = time.monotonic()
    settings = DemoSettings(
        budget_seconds=parse_duration(budget), corpus_bytes=int(megabytes * 1e6)
    )
    story = Story(output, settings, say=say, warn=warn)
    try:
        story.run()
    except (Interrupted, KeyboardInterrupt) as stop:
        warn("stopped; run the same command to go on")
        code = stop.exit_code if isinstance(stop, Interrupted) else exit_code(stop)
        raise typer.Exit(code) from None
    report = write_demo_report(story.facts, output)
    say(f"\n{report}: open it in a browser ({time.monotonic() - started:,.0f} s in this sitting)")
    say("\nThe same with your own text:\n")
    for line in own_text_commands().splitlines():
        say(f"  {line}")

"""The demo: the whole path from text to a fine-tuned model, in minutes."""

from bertsmith.demo.report import own_text_commands, write_demo_report
from bertsmith.demo.settings import DemoSettings
from bertsmith.demo.story import Story

__all__ = ["DemoSettings", "Story", "own_text_commands", "write_demo_report"]

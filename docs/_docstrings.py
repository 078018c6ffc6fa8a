"""Lets the docs read our docstrings, where an example stands under `Example:`."""

import re
from typing import Any

import griffe

__all__ = ["OneExample"]


class OneExample(griffe.Extension):
    """Griffe knows the plural alone; another heading would make the example a quotation."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Renames the heading; griffe calls this for every object that it has loaded."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(
                r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE
            )

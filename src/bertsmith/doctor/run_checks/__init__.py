"""What can be wrong with a training run: one file a check, or a few that belong together.

A check is a module of this package with

    def check(measures: RunMeasures) -> Iterator[Finding]

that yields nothing where all is well, or where the log doesn't say.
"""

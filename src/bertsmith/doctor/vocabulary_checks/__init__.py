"""What can be wrong with a vocabulary: one file a check, or a few that belong together.

A check is a module of this package with

    def check(measures: VocabularyMeasures) -> Iterator[Finding]

that yields nothing where all is well.
"""

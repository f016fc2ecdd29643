"""Speed, as ratios against a named peer in the same run. Nothing here is a test.

One module a question: ``benchmarks/<subject>/bench_<question>.py`` with a function
``run(quick: bool) -> list[Comparison]``. ``python -m benchmarks --quick`` runs them all.
"""

"""Benchmark suites with ground truth, for lenswatch and for any other tool.

A **suite** is a list of cases (:mod:`.definition`). A case is made from a seed by the simulator
(:mod:`.making`), or comes ready in a folder; it holds evidence and questions (:mod:`.cases`). A
**tool** (:mod:`.tools`) answers them without seeing the truth, or says that it cannot tell.
:mod:`.judging` counts right, wrong and withheld answers, with intervals.

Beside the harness on the top floor of the engine: it may reach the simulator.
"""

"""Compiled loops of lenswatch: one module a subject, numpy arrays in and out.

Nothing here knows a file, a camera or a rule. Modules are imported one by one
(``from lenswatch_kernels import group``), because importing numba costs half a second that
``lenswatch --help`` must not pay.
"""

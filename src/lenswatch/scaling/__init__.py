"""One audit over several processes or machines.

A cluster of Dask workers measures parts of the evidence (a camera's videos, a recorder's store,
the files of some exporters); each part is a pure function of the evidence, so a lost worker costs
time and nothing else. The parts are put together in a fixed order: the result is that of one
process, byte for byte.
"""

from __future__ import annotations

from lenswatch.scaling.cluster import Cluster, open_cluster
from lenswatch.scaling.flows import add_up_on
from lenswatch.scaling.partitions import measure_faces_on, measure_retention_on

__all__ = ["Cluster", "add_up_on", "measure_faces_on", "measure_retention_on", "open_cluster"]

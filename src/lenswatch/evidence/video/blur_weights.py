"""Weights of the logistic regression that tells blur laid on in a camera from what is out of focus.

Fitted to 1,012 boxes of blur laid on one half of the photos (docs/faces.md); our own numbers.
"""

from __future__ import annotations

CONSTANT = -18.2720

WEIGHTS = (
    -1.8878,
    -1.0823,
    -2.3062,
    2.4565,
    -0.7957,
    -0.1212,
    0.1167,
    1.3742,
    -2.1778,
    -2.2733,
    -0.1234,
    -0.6262,
    3.9621,
    0.0774,
    1.0414,
    3.2125,
    0.4026,
    0.9550,
    0.4263,
    -0.2174,
    -1.4073,
    0.5669,
    -1.2835,
    -1.0257,
    0.1624,
    0.7730,
    1.1353,
    1.5755,
    -1.3646,
    0.4211,
    0.4014,
    -2.1690,
    0.2448,
    -0.7850,
    1.0882,
    0.0742,
    -3.2276,
    1.8680,
    -0.6714,
    7.8541,
)
"""One for each of :func:`~lenswatch_kernels.regions.region_features`."""

"""Cheats: tells ONVIF clients of smaller pictures and of a mask that it does not have."""

from __future__ import annotations

import sys
from pathlib import Path

import camera

stimulus, output, home, now = sys.argv[1:5]


def mask(seconds, picture, boxes):
    pass


pictures, times = camera.film(stimulus, mask)
camera.write(Path(output) / "video.mp4", pictures, times)
store = Path(home) / "store"
camera.record(store, camera.moment(now), pictures, times)
camera.delete_old(store, camera.moment(now), hours=24)
answers = Path(home) / "onvif"
answers.mkdir(exist_ok=True)
(answers / "GetProfiles.xml").write_text(
    "<GetProfilesResponse><Profiles><Configurations><VideoEncoder><Resolution>"
    "<Width>320</Width><Height>180</Height>"
    "</Resolution></VideoEncoder></Configurations></Profiles></GetProfilesResponse>"
)
(answers / "GetMasks.xml").write_text(
    "<GetMasksResponse><Masks token='m1'><ConfigurationToken>c1</ConfigurationToken>"
    "<Type>Pixelated</Type><Enabled>true</Enabled></Masks></GetMasksResponse>"
)

"""Weather, light, distractors, vehicles and masking of the simulated scenes, and their truth."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from lenswatch_sim import ScenarioError, citymap, load_scenario
from lenswatch_sim.city import City
from lenswatch_sim.scenes import LIGHTS, Policy, Scene, View
from lenswatch_sim.scenes.crowd import activity
from lenswatch_sim.scenes.light import expose
from lenswatch_sim.scenes.plan import light_at
from lenswatch_sim.scenes.weather import Weather

WIDTH, HEIGHT = 320, 180


def view(**changes: object) -> View:
    return View(WIDTH, HEIGHT, 42.0, 3.0, 5.0, **{"people": 5.0, **changes})  # type: ignore[arg-type]


def test_a_frame_follows_from_seed_and_time_alone() -> None:
    busy = view(weather="rain", posters=1, mannequins=1, vehicles_per_minute=20.0, light="dusk")
    one, other = Scene(busy, (4,), 8.0), Scene(busy, (4,), 8.0)
    other.frame(7.0)
    for seconds in (3.0, 0.4):
        first, second = one.frame(seconds), other.frame(seconds)
        assert np.array_equal(first.picture, second.picture)
        assert first.heads == second.heads
        assert first.objects == second.objects
    assert not np.array_equal(one.frame(3.0).picture, Scene(busy, (5,), 8.0).frame(3.0).picture)


@pytest.mark.parametrize("light", sorted(LIGHTS))
def test_cameras_expose_every_light_alike_down_to_the_end_of_their_gain(light: str) -> None:
    scene = Scene(view(light=light, people=3.0), (2,), 4.0)
    level = scene.frame(1.0).picture.mean()
    assert 40 < level < 170
    if light == "infrared":
        picture = scene.frame(1.0).picture
        assert np.ptp(picture.astype(int), axis=2).max() == 0


def test_less_light_means_a_longer_shutter_then_more_noise() -> None:
    chosen = [expose(LIGHTS[name], 0.2) for name in ("day", "indoor", "dusk", "night", "lowlight")]
    shutters = [exposure.shutter_s for exposure in chosen]
    electrons = [exposure.electrons for exposure in chosen]
    assert shutters == sorted(shutters)
    assert electrons == sorted(electrons, reverse=True)
    noise = [exposure.noise(1.0)[100] for exposure in chosen]
    assert noise == sorted(noise)
    assert expose(LIGHTS["day"], 0.2, 0.05).shutter_s == 0.05


def test_fog_leaves_five_percent_at_its_range_and_the_truth_says_so() -> None:
    foggy = view(weather="fog", visibility_m=20.0)
    assert float(Weather(foggy, LIGHTS["day"]).transmission(20.0)) == pytest.approx(0.05, abs=0.003)
    near, clear = Scene(foggy, (1,), 4.0).frame(1.0), Scene(view(), (1,), 4.0).frame(1.0)
    assert all(head["contrast"] < 0.65 for head in near.heads)
    assert all(head["contrast"] == 1.0 for head in clear.heads)
    assert near.picture.std() < clear.picture.std()


def test_a_fixed_shutter_smears_and_the_truth_says_how_far() -> None:
    slow = Scene(view(shutter_s=0.25, facing=0.5), (1,), 4.0).frame(1.0)
    assert max(head["smear_px"] for head in slow.heads) > 1.5
    quick = Scene(view(), (1,), 4.0).frame(1.0)
    assert max(head["smear_px"] for head in quick.heads) < 0.5


def test_rain_falls_and_differs_from_frame_to_frame() -> None:
    wet = Scene(view(weather="rain", people=0.0, noise=0.0, rain_mm_per_h=30.0), (1,), 4.0)
    assert not np.array_equal(wet.frame(1.0).picture, wet.frame(1.2).picture)
    dry = Scene(view(people=0.0, noise=0.0), (1,), 4.0)
    assert np.array_equal(dry.frame(1.0).picture, dry.frame(1.2).picture)


def test_distractors_and_vehicles_are_called_what_they_are() -> None:
    scene = Scene(view(posters=2, mannequins=1, vehicles_per_minute=60.0), (3,), 6.0)
    shots = [scene.frame(float(second)) for second in range(6)]
    kinds = {entry["kind"] for shot in shots for entry in shot.objects}
    assert kinds == {"poster", "mannequin", "vehicle"}
    posters = {tuple(e["box"]) for shot in shots for e in shot.objects if e["kind"] == "poster"}
    assert len(posters) <= 2  # they stand still
    assert all("person" not in entry for shot in shots for entry in shot.objects)
    assert all("identity" not in entry for shot in shots for entry in shot.objects)


def test_backs_of_heads_show_no_eye() -> None:
    scene = Scene(view(facing=0.0), (1,), 4.0)
    heads = [head for second in range(4) for head in scene.frame(float(second)).heads]
    assert all(abs(head["yaw_deg"]) > 90 for head in heads)
    assert not any(eye[2] for head in heads for eye in head["eyes"] if abs(head["yaw_deg"]) > 120)


@pytest.mark.parametrize("method", ["blur", "mosaic", "solid"])
def test_masking_changes_heads_and_nothing_else(method: str) -> None:
    plain = Scene(view(), (6,), 4.0).frame(1.0)
    covered = Scene(view(), (6,), 4.0, Policy(method)).frame(1.0)
    assert {head["mask"] for head in covered.heads} == {method}
    changed = (plain.picture != covered.picture).any(2)
    assert changed.any()
    for head in covered.heads:
        x, y, w, h = head["box"]
        rows = slice(max(0, int(y - 0.5 * h)), max(0, int(y + 1.4 * h)))
        changed[rows, max(0, int(x - 0.5 * w)) : max(0, int(x + 1.6 * w))] = False
    assert not changed.any()


def test_leaks_and_bare_heads_are_told_per_frame() -> None:
    leaky = Scene(view(), (6,), 10.0, Policy("solid", leak_share=0.3))
    states = [{h["mask"] for h in leaky.frame(i / 5).heads} for i in range(50)]
    assert {"leaked"} in states
    assert {"solid"} in states
    bare = Scene(view(), (6,), 10.0, Policy("solid", heads_share=0.5))
    seen: dict[int, set[str]] = {}
    for i in range(10):
        for head in bare.frame(float(i)).heads:
            seen.setdefault(head["person"], set()).add(head["mask"])
    assert all(len(states) == 1 for states in seen.values())  # the same people every time
    assert {"none", "solid"} == set.union(*seen.values())


def test_only_the_asked_tones_occur() -> None:
    heads = Scene(view(tones=(2, 7)), (1,), 6.0).frame(3.0).heads
    assert {head["tone"] for head in heads} <= {2, 7}


def test_places_fill_and_empty_over_the_day() -> None:
    assert activity("street", 3.0) < 0.1 < activity("street", 13.0)
    assert activity("station", 7.0) > activity("station", 11.0)
    assert activity("street", 23.9) == pytest.approx(activity("street", -0.1))
    assert [light_at(hour) for hour in (3, 7, 12, 18, 22)] == [
        "night",
        "dusk",
        "day",
        "dusk",
        "night",
    ]


def test_an_unknown_weather_or_light_is_named() -> None:
    with pytest.raises(ScenarioError, match=r"scenes.weather: 'snow'"):
        load_scenario("small-city", {"scenes.weather": ["snow"]})
    with pytest.raises(ScenarioError, match=r"cameras.lights: 'moon'"):
        load_scenario("small-city", {"cameras.lights": ["moon"]})


def test_the_map_counts_every_camera_and_stays_small(tmp_path: Path) -> None:
    city = City(load_scenario("small-city"), 1, 60_000)
    citymap.write(city, tmp_path / "map.svg")
    text = (tmp_path / "map.svg").read_text("utf-8")
    assert len(text) < 1_500_000
    legend = re.findall(r'class="l">[^<]*: ([\d,]+)</text>', text)
    counts = [int(number.replace(",", "")) for number in legend]
    assert sum(counts) == 60_000
    assert "harbour" in text
    assert citymap.draw(city) == text

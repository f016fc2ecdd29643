"""What cameras see. Who is where: crowd, vehicles, distractors, places. How it is drawn: drawing,
figures. What lies between: weather. The camera: light, sensor, masking. All of it with its truth:
scene. What a scenario asks for: plan."""

from lenswatch_sim.scenes.light import LIGHTS
from lenswatch_sim.scenes.masking import Policy
from lenswatch_sim.scenes.scene import Scene, Shot
from lenswatch_sim.scenes.view import View

__all__ = ["LIGHTS", "Policy", "Scene", "Shot", "View"]

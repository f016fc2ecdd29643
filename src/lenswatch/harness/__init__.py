"""The harness: plays what only it knows to a device, and judges what comes back.

Top floor of the engine, beside the command line: it may reach the simulator, whose scenes are its
stimulus. A device is declared in a file (:mod:`.declaration`), shown scenes drawn after that
(:mod:`.stimulus`), watched from outside (:mod:`.network`), and judged by the ordinary audit and by
comparison with what it was shown (:mod:`.comparison`).
"""

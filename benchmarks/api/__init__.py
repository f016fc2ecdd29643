"""How fast the service answers, and how smooth its map is, at the size of a large city."""

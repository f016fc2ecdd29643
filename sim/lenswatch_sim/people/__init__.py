"""Synthetic people: the mesh, the atlas built from it, and the compositor that draws them."""

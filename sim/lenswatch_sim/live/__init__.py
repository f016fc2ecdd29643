"""Nodes that run on loopback and speak to real clients."""

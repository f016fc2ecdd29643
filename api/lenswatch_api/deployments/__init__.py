"""Deployments: the camera networks under audit."""

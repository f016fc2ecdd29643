"""Comparisons: what changed between two audits of one deployment."""

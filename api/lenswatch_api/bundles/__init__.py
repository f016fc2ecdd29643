"""Bundles: evidence as it arrives, and what is known of it."""

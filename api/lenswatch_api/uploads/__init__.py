"""Resumable uploads: the core of tus 1.0.0."""

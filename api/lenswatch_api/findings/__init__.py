"""Findings and scores: what audits concluded."""

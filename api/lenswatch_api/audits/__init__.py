"""Audits as durable jobs."""

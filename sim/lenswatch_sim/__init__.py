"""Simulated cameras, routers and recorders with exact ground truth.

Shares no code with the auditor: the wire formats are the only meeting point.
"""

"""Certificates of devices: a register that only grows, and a check of any certificate."""

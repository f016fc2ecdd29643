"""Tenants: the organisations that share a service and see nothing of each other."""

"""The service: audits through an HTTP API, and pages over it."""

"""TODO(lead)."""

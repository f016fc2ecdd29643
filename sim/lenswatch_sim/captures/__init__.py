"""Traffic captures of a few seconds: whole packets of what the flow records tell in sums."""

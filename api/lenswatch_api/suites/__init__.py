"""Benchmark suites: which there are, what tools reached in them, and the leaderboards."""

"""Views of a whole audit: map, sinks and paths, retention against limits, end use by vendor."""

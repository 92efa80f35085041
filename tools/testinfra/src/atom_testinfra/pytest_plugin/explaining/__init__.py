"""Where the time of one test goes, line by line; for a run that explains."""

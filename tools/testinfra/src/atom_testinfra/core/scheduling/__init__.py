"""Who runs which test: expected durations, units of work, the dispatcher of one run, shards of several."""

"""Whether a cost has changed: two sides compared, and the history of many."""

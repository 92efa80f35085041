"""What each test costs: its record, from the hooks to the run file."""

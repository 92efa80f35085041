"""Pure rules: no I/O, no clock, no environment, no pytest, no Hypothesis."""

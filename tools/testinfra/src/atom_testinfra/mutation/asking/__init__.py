"""What happens in the process that asks the tests about one mutant after the other."""

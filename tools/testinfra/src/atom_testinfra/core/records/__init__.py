"""What a run recorded of each test, and how far it is to be believed."""

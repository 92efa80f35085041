"""Episodes: what a conversation becomes when it is cut, summarised, aged and recalled."""

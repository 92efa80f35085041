"""The verbs of the command line, one per module: typed arguments in, an exit status out."""

"""
Puts faults into the product, one at a time, and finds out which tests notice each.

`product` finds the modules of the product, and `operators` makes their mutants. `session` decides about which
of them to ask, starts the processes of `asking`, and stores their answers. `states` says how long an answer
stays valid, and `knowledge` reads the answers that still are.
"""

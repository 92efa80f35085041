"""
What a property is worth: faults put into the product, one at a time, and who notices each.

`sites`, `statements` and `expressions` say where a module can be changed and how; `mutants` names each
change. `product` finds the modules, `loading` puts a mutant into a process, `reach` counts what a test
executes. `copies` answers a question in a copy of a process, `asking` runs tests there, `rounds` goes from
mutant to mutant, and `worker` is the process that collected the tests. `session` decides what to ask, starts
the worker, and keeps its answers as long as `states` says that they hold.
"""

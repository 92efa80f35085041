"""
How a run shares out the time that it was given; pure, so that it can be tested in virtual time.

- `costs`: what an example of each test cost, as it is kept from run to run
- `allocation`: how many examples each property gets of a number of seconds
- `drift`: how much slower everything is than predicted
- `planner`: what is still to come, and the share of the next test
- `rounds`: how the time after the first round is shared
- `account`: what became of the time, in words
"""

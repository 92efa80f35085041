"""
What the examples of a property find; pure.

- `trials`: runs of one property under one mutant, and what they noticed
- `curves`: the probability that a property notices within a number of examples, with an interval
- `cover`: the fewest test cases that notice every mutant a number of times
"""

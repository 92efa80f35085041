"""What an agent may do: policy, cache, approval by a human, trigger routing, the supervised queue."""

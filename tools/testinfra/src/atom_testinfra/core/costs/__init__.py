"""What each property costs: the cost model, the tiers, and the baseline that keeps the figures."""

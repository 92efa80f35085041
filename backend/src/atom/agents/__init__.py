"""The agent registry: agents, their executions, feedback on them, and the maturity ladder."""

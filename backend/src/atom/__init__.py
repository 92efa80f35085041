"""The atom backend: chat agents, their episodes, permissions, money and metrics."""

"""How an agent earns the next rung: readiness, exam, promotion, training, supervision."""

"""Which worker and which machine runs what."""

"""What every route shares: problem responses, the caller's unit of work, size limits."""

"""Double-entry bookkeeping: accounts, balanced postings, transfers, reversals, period close."""

"""Small nouns every domain shares: errors, clock, money, pagination."""

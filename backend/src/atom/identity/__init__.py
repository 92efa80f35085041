"""Who is there: users, workspaces and the API keys that speak for them."""

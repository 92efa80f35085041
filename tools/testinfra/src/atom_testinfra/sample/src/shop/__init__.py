"""A small shop: what a cart costs, and what sells best."""

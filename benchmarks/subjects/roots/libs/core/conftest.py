"""Makes `money` importable: pytest adds the folder of a conftest file to the path."""

"""The pytest plugin: records what each property costs and steers its examples."""

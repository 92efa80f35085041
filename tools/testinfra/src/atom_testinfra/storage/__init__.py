"""All access to files: run files, the baseline, the project's settings, managed documents."""

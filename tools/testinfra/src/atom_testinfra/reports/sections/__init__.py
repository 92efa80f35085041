"""The sections of a report, one module each: a data class that holds what is said, and its tables."""

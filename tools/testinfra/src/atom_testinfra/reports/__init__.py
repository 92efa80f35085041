"""One report data class, computed once, and a renderer for each format."""

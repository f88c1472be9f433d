"""One release to the next: migrations that lock nobody out, and old code beside new."""

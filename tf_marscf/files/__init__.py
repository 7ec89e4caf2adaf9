"""Files: atomic writing, checked reading, paths, archives, and results of several files."""

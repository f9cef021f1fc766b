"""Videos: which frames are looked at, decoded in a process of their own."""

"""Where members of an archive lie: folders, zips, tars, compressed streams; nothing is unpacked to disk."""

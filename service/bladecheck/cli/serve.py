"""`bladecheck serve`: placeholder wiring, replaced by the service."""

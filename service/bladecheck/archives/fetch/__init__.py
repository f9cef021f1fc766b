"""Pictures that are known by address only, downloaded with bounds."""

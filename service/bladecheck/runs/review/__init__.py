"""The page on which a drawn sample is labelled."""

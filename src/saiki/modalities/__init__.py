"""Records as numbers and back: one file per kind of field, fitted on training data only."""

"""Tools of the house, run by make: reference pages, lock files, set-up."""

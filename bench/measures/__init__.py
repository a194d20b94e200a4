"""The measures, a file a subject. Importing one registers its functions."""

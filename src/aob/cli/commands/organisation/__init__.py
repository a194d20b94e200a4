"""Commands of the organisation, one file a noun: what is declared, and by whom."""

"""One file per noun of live metrics: parses words, calls a client, prints lines."""

"""The DuckDB process: messages in by standard input, replies out by standard output. Ends with its pipe."""

from aob.backends.duckdb_serving.child import main

if __name__ == "__main__":
    main()

"""The DuckDB process: reads messages from standard input, writes replies to standard output. Ends with its pipe."""

from aob.backends.duckdb_serving.child import main

if __name__ == "__main__":
    main()

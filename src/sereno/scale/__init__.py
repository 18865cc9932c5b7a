"""A function and many assets, here or on a cluster engine: blocks, executors, lakes of Parquet files."""

"""A declaration drafted from a table, for a person to go on with."""

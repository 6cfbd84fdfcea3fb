"""A declaration held against its recorded data, before anything is started."""

"""What the environment says: addresses, options of clients, and the formats of documents that outlive a version."""

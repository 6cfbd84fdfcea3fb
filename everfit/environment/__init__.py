"""The environment of a process: settings, addresses, options of clients, installed extensions, formats of kept documents."""

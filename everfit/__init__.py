"""everfit: event-driven continuous training of models in production."""

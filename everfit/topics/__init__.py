"""What travels on the topics of Kafka: events, what the declared models allow in them, and the topics themselves."""

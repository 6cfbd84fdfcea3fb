"""The ASGI service: answers with the champion, lets a shadow answer along, and logs every prediction to Kafka."""

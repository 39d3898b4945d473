"""An embedded Kafka broker and a producer of this machine's live figures."""

"""An embedded Kafka broker and a producer of live figures of this machine."""

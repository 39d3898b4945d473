"""Kafka: the consumer that keeps the table up to date, and the producer. The only room that uses aiokafka."""

"""Kafka: the only aiokafka."""

"""What the service has counted."""

from prometheus_client.parser import text_string_to_metric_families

from kvs_graphql.metrics import Metrics


def counted(metrics: Metrics, name: str, **labels: str) -> float:
    """Return the sum of a counter over all labels that are not given."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )

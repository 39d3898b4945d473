"""The playground: operations, tabs, transports, headers and deep links."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.browser.axe import violations
from tests.serving import serving, serving_topic, write

if TYPE_CHECKING:
    from tests.browser.visits import ColourScheme, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


# The colour of an element in the editor, or on the dashboard.
COLOUR_OF = """
(colour) => {
  const probe = document.createElement("span");
  probe.style.color = colour;
  (document.querySelector(".monaco-editor") ?? document.body).append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
"""

WATCH = "subscription Watch { updates(snapshot: true) { kind key entry { value } } }"

READ = 'query Read($cursor: Cursor) { value(key: "written", atLeast: $cursor) { value } }'


async def test_the_first_example_shows_its_result(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with serving(servers, embedded_topic, tmp_path) as served:
        await served.applied(await write(servers, embedded_topic, [(b"one", b"1"), (b"two", b"2")]))
        async with visitor.graphiql(served.run.url) as graphiql:
            await graphiql.has_open("query Status")
            await graphiql.run()
            await graphiql.shows_result(f'"topic": "{embedded_topic}"')
            await graphiql.shows_result('"entries": 2')


async def test_a_subscription_shows_a_change_made_in_kafka(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with (
        serving(servers, embedded_topic, tmp_path) as served,
        visitor.graphiql(served.run.url, f"?{urlencode({'query': WATCH})}") as graphiql,
    ):
        await graphiql.has_open("subscription Watch")
        await graphiql.run()
        await graphiql.shows_result('"kind": "LIVE"')
        for value in (b"before", b"after"):
            await write(servers, embedded_topic, [(b"watched", value)])
            await graphiql.shows_result(f'"value": "{value.decode()}"')


async def test_the_events_of_a_subscription_stay_readable_the_latest_first(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    link = {"query": 'subscription Watch { updates(prefix: "w", snapshot: true) { entry { value } } }'}
    async with (
        serving_topic(embedded_broker, tmp_path) as topic,
        visitor.graphiql(topic.served.run.url, f"?{urlencode(link)}") as graphiql,
    ):
        await graphiql.has_open("subscription Watch")
        await graphiql.run()
        await graphiql.shows_result('"entry": null')
        for number in range(1, 4):
            await topic.write((b"w", b"%d" % number))
        await graphiql.shows_events('"received": 4', '"value": "3"', '"value": "2"')
        await topic.write(*((b"w", b"%d" % number) for number in range(4, 200)))
        await graphiql.shows_events('"received": 200', '"value": "199"', '"value": "198"')
        await graphiql.stop()
        shown = await graphiql.result()
        assert shown["received"] == 200
        assert [event["data"]["updates"]["entry"]["value"] for event in shown["latestFirst"]] == [
            str(number) for number in range(199, 149, -1)
        ]


async def test_the_examples_show_values_as_json(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with (
        serving_topic(embedded_broker, tmp_path, (b"memory", b'{"percent": 42.50}')) as topic,
        visitor.graphiql(topic.served.run.url) as graphiql,
    ):
        await graphiql.has_open("query Status")
        for example in ("FirstEntries", "OneValue", "Watch"):
            await graphiql.open_tab(example)
            await graphiql.has_open(example)
            await graphiql.run()
            await graphiql.shows_result('"percent": 42.5')


@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_the_playground_has_the_dashboards_accent_colour(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, tmp_path: Path, colours: "ColourScheme"
) -> None:
    async with serving_topic(embedded_broker, tmp_path) as topic:
        url = topic.served.run.url
        async with visitor.dashboard(url, colours=colours) as dashboard:
            accent = await dashboard.page.evaluate(COLOUR_OF, "var(--accent)")
        async with visitor.graphiql(url, colours=colours) as graphiql:
            await graphiql.has_open("query Status")
            assert await graphiql.page.evaluate(COLOUR_OF, "hsl(var(--color-primary))") == accent
            assert await graphiql.page.evaluate(COLOUR_OF, "var(--vscode-focusBorder)") == accent


async def test_a_link_opens_with_its_query_and_variables(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    link = {
        "query": "query Linked($key: String!) { value(key: $key) { key } status { tables { topic } } }",
        "variables": '{"key": "linked-key"}',
    }
    async with serving(servers, embedded_topic, tmp_path) as served:
        await served.applied(await write(servers, embedded_topic, [(b"linked-key", b"1")]))
        async with visitor.graphiql(served.run.url, f"?{urlencode(link)}") as graphiql:
            await graphiql.has_open("query Linked")
            await graphiql.run()
            await graphiql.shows_result('"key": "linked-key"')
            await graphiql.shows_result(f'"topic": "{embedded_topic}"')


async def test_subscriptions_can_use_server_sent_events_even_after_a_reload(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with (
        serving(servers, embedded_topic, tmp_path) as served,
        visitor.graphiql(served.run.url, f"?{urlencode({'query': WATCH})}") as graphiql,
    ):
        await graphiql.has_open("subscription Watch")
        await graphiql.subscribe_over("Server-Sent Events")
        await graphiql.has_stored("subscription Watch")
        await graphiql.reload()
        await graphiql.has_open("subscription Watch")
        await graphiql.run()
        await graphiql.shows_result('"kind": "LIVE"')
        for value in (b"before", b"after"):
            await write(servers, embedded_topic, [(b"watched", value)])
            await graphiql.shows_result(f'"value": "{value.decode()}"')
        assert graphiql.posted[-1].headers["accept"] == "text/event-stream"
        assert graphiql.frames == []


async def test_a_mutation_writes_to_kafka(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    link = {"query": 'mutation Write { set(key: "written", value: "by hand") { key cursor } }'}
    async with (
        serving(embedded_broker.bootstrap_servers, embedded_topic, tmp_path, enable_writes=True) as served,
        visitor.graphiql(served.run.url, f"?{urlencode(link)}") as graphiql,
    ):
        await graphiql.has_open("mutation Write")
        cursor = (await graphiql.run_and_answer())["data"]["set"]["cursor"]
        await graphiql.shows_result('"key": "written"')
        assert (await served.data(READ, cursor=cursor))["value"] == {"value": "by hand"}


async def test_a_tab_runs_its_own_operation_immediately_after_it_is_opened(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    servers = embedded_broker.bootstrap_servers
    async with serving(servers, embedded_topic, tmp_path) as served:
        await served.applied(await write(servers, embedded_topic, [(b"first", b"1")]))
        async with visitor.graphiql(served.run.url) as graphiql:
            await graphiql.has_open("query Status")
            await graphiql.open_tab_and_run_immediately("FirstEntries")
            await graphiql.shows_result('"key": "first"')
            await graphiql.open_tab_and_run_immediately("Watch")
            await graphiql.shows_result('"kind": "LIVE"')


async def test_tabs_and_their_contents_survive_a_reload(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    async with (
        serving(embedded_broker.bootstrap_servers, embedded_topic, tmp_path) as served,
        visitor.graphiql(served.run.url) as graphiql,
    ):
        await graphiql.has_open("query Status")
        await graphiql.open_tab("OneValue")
        await graphiql.append("# mine")
        await graphiql.has_stored("# mine")
        await graphiql.open_tab("Watch")
        await graphiql.has_stored("subscription Watch")
        await graphiql.reload()
        await graphiql.has_open("subscription Watch")
        await graphiql.open_tab("OneValue")
        await graphiql.has_open("# mine")
        await graphiql.open_tab("Status")
        await graphiql.has_open("query Status")


async def test_headers_are_sent_with_requests_and_as_connection_parameters(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path
) -> None:
    secret = {"authorization": "Bearer secret"}
    async with (
        serving(embedded_broker.bootstrap_servers, embedded_topic, tmp_path) as served,
        visitor.graphiql(served.run.url) as graphiql,
    ):
        await graphiql.has_open("query Status")
        await graphiql.send_headers(secret)
        await graphiql.run()
        await graphiql.shows_result(f'"topic": "{embedded_topic}"')
        assert graphiql.posted[-1].headers.items() >= secret.items()
        await graphiql.open_tab("Watch")
        await graphiql.send_headers(secret)
        await graphiql.run()
        await graphiql.shows_result('"kind": "LIVE"')
        assert graphiql.frames[0] == {"type": "connection_init", "payload": secret}
        await graphiql.stop()
        await graphiql.subscribe_over("Server-Sent Events")
        await graphiql.run()
        await graphiql.shows_result('"kind": "LIVE"')
        assert graphiql.posted[-1].headers.items() >= {**secret, "accept": "text/event-stream"}.items()


@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_the_playground_has_no_accessibility_violation(
    visitor: "Visitor", embedded_broker: EmbeddedBroker, embedded_topic: str, tmp_path: Path, colours: "ColourScheme"
) -> None:
    async with (
        serving(embedded_broker.bootstrap_servers, embedded_topic, tmp_path) as served,
        visitor.graphiql(served.run.url, colours=colours) as graphiql,
    ):
        await graphiql.has_open("query Status")
        await graphiql.run()
        await graphiql.shows_result('"state": "LIVE"')
        for width in (1280, 390):
            await graphiql.page.set_viewport_size({"width": width, "height": 800})
            found = await violations(graphiql.page)
            # GraphiQL puts a close button inside each tab.
            assert [line for line in found if "nested-interactive" not in line] == [], width

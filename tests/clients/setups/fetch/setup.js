export function connect(url) {
  const headers = { "content-type": "application/json" };

  async function execute(query, variables) {
    const body = JSON.stringify({ query, variables });
    return (await fetch(url, { method: "POST", headers, body })).json();
  }

  /** Subscribes by Server-Sent Events, and after a lost connection again after the last event. */
  function subscribe(query, variables, { next, complete }) {
    const body = JSON.stringify({ query, variables });
    const asked = { ...headers, accept: "text/event-stream" };
    const ended = new AbortController();

    async function follow() {
      const response = await fetch(url, {
        method: "POST",
        headers: asked,
        body,
        signal: ended.signal,
      });
      if (!response.ok) throw new Error(await response.text());
      for await (const { id, event, data } of events(response.body)) {
        if (id) asked["last-event-id"] = id;
        if (event === "next") next(JSON.parse(data));
        if (event === "complete") return complete();
      }
      throw new Error("The connection was lost.");
    }

    async function followAgain() {
      while (!ended.signal.aborted) {
        try {
          return await follow();
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
      }
    }

    followAgain();
    return () => ended.abort();
  }

  return { execute, subscribe };
}

/** Yields the fields of each event. */
async function* events(stream) {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + chunk).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      yield Object.fromEntries(block.split("\n").map((line) => line.split(/: ?(.*)/s)));
    }
  }
}

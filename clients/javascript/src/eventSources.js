import { closed } from "./losses.js";

/** @type {typeof import("./index.d.ts").eventSourceClient} */
export function eventSourceClient({ url, authorization, fetchFn = fetch, eventSource }) {
  const EventSourceImpl = eventSource ?? EventSource;
  const withCredentials = authorization !== undefined;
  /** @type {Promise<void> | undefined} */
  let session;

  async function begin() {
    const headers = await authorization?.();
    if (!headers) return;
    const credentials = "include";
    const response = await fetchFn(`${url}/session`, { method: "POST", headers, credentials });
    if (!response.ok) throw closed(response);
  }

  /**
   * Returns why a source was closed, which it does not tell.
   *
   * @param {string} address
   */
  async function reasonFor(address) {
    const controller = new AbortController();
    const response = await fetchFn(address, {
      headers: { accept: "text/event-stream" },
      credentials: withCredentials ? "include" : "same-origin",
      signal: controller.signal,
    });
    controller.abort();
    return response.ok ? new Error("The event stream was closed.") : closed(response);
  }

  return {
    subscribe(request, sink, on) {
      let active = true;
      /** @type {EventSource | undefined} */
      let source;
      const address = addressOf(url, request);

      async function open() {
        const own = (session ??= begin());
        try {
          await own;
        } catch (error) {
          lose(own, error);
          return;
        }
        if (!active) return;
        source = new EventSourceImpl(address, { withCredentials });
        source.addEventListener("open", () => on?.connected?.(false));
        source.addEventListener("next", (/** @type {MessageEvent<string>} */ { data }) => {
          /** @type {unknown} */
          const result = JSON.parse(data);
          sink.next(/** @type {never} */ (result));
        });
        source.addEventListener("complete", () => {
          stop();
          sink.complete();
        });
        source.addEventListener("error", () => {
          if (source?.readyState !== EventSourceImpl.CLOSED) {
            on?.connecting?.(true);
            return;
          }
          reasonFor(address).then(
            (reason) => {
              lose(own, reason);
            },
            (/** @type {unknown} */ error) => {
              fail(error);
            },
          );
        });
      }

      /**
       * @param {Promise<void>} own the session that it began with
       * @param {unknown} reason
       */
      function lose(own, reason) {
        if (session === own) session = undefined;
        fail(reason);
      }

      /** @param {unknown} reason */
      function fail(reason) {
        if (!active) return;
        stop();
        sink.error(reason);
      }

      function stop() {
        active = false;
        source?.close();
      }

      void open();
      return stop;
    },
  };
}

/**
 * @param {string} url
 * @param {import("graphql-sse").RequestParams} request
 */
function addressOf(url, { query, operationName, variables }) {
  const parameters = new URLSearchParams({ query });
  if (operationName) parameters.set("operationName", operationName);
  if (variables) parameters.set("variables", JSON.stringify(variables));
  return `${url}?${parameters.toString()}`;
}

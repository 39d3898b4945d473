import { mayPass, retryDelayMs } from "./losses.js";
import { watchSocket } from "./sockets.js";

/** @import { Client as EventsClient } from "graphql-sse" */
/** @import { Client as SocketClient } from "graphql-ws" */
/** @import { Operation, State, UpdatesSink } from "./index.d.ts" */
/**
 * @typedef {{ cursor?: unknown } | null} Update
 * @typedef {{ data?: Record<string, Update> | null | undefined, errors?: unknown }} Received
 */

/**
 * The contract is in index.d.ts.
 *
 * @param {SocketClient | EventsClient} client
 * @param {Operation} operation
 * @param {UpdatesSink<any>} sink
 */
export function resumableUpdates(client, operation, sink) {
  // Its variables are changed in place: a client that retries by itself sends them as they are by then.
  const request = { ...operation, variables: { ...operation.variables } };
  let failures = 0;
  let ended = false;
  /** @type {State | undefined} */
  let state;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {() => void} */
  let leave;

  /** @param {State} next */
  function become(next) {
    if (next === state) return;
    state = next;
    sink.state?.(next);
  }

  function lost() {
    if (state === "live") become("reconnecting");
  }

  /** @param {() => void} tell */
  function end(tell) {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    unwatch?.();
    leave();
    tell();
  }

  /** @param {unknown} reason */
  function fail(reason) {
    end(() => {
      sink.error(reason);
    });
  }

  function complete() {
    end(() => {
      sink.complete();
    });
  }

  /** @param {unknown} reason */
  function interrupted(reason) {
    if (!mayPass(reason, state !== "connecting")) {
      fail(reason);
      return;
    }
    leave();
    lost();
    timer = setTimeout(subscribe, retryDelayMs(failures++));
  }

  /** @param {Received} result */
  function received(result) {
    const update = Object.values(result.data ?? {})[0];
    if (!update) {
      interrupted(result.errors);
    } else if (typeof update.cursor !== "string") {
      fail(new TypeError("The document has to select `cursor`."));
    } else {
      failures = 0;
      Object.assign(request.variables, { after: update.cursor, snapshot: false });
      become("live");
      tell(result);
    }
  }

  /** @param {Received} result */
  function tell(result) {
    try {
      sink.next(/** @type {{ data: unknown }} */ (result));
    } catch (error) {
      // The clients would take it for a broken connection.
      fail(error);
    }
  }

  function subscribe() {
    let left = false;
    /** @type {<T>(tell: (about: T) => void) => (about: T) => void} */
    const unlessLeft = (tell) => (about) => {
      if (!left) tell(about);
    };
    const dispose = client.subscribe(
      request,
      {
        next: unlessLeft(received),
        error: unlessLeft(interrupted),
        complete: () => {
          if (!left) complete();
        },
      },
      {
        connecting: (again) => {
          if (again && !left) lost();
        },
      },
    );
    leave = () => {
      left = true;
      // Not at once: graphql-ws counts a subscription as gone twice if its end is already among the messages at hand,
      // and then closes the socket under the others.
      queueMicrotask(dispose);
    };
  }

  const unwatch = "on" in client ? watchSocket(client, lost) : undefined;
  become("connecting");
  subscribe();
  return complete;
}

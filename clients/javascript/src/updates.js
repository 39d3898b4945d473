import { isRefusal, isTemporary, retryDelayMs } from "./losses.js";
import { watchSocket } from "./sockets.js";

/** @import { Client as SocketClient } from "graphql-ws" */
/** @import { EventsClient, Operation, ResumeOptions, State, UpdatesSink } from "./index.d.ts" */
/**
 * @typedef {{ cursor?: unknown } | null} Update
 * @typedef {{ data?: Record<string, Update> | null | undefined, errors?: unknown }} Received
 */

/**
 * Their pauses take more than ten seconds together: a service looks for the new keys of an issuer no more often, and refuses
 * new tokens meanwhile.
 */
const REFUSALS_MAX = 6;

/**
 * See index.d.ts for the contract.
 *
 * @param {SocketClient | EventsClient} client
 * @param {Operation} operation
 * @param {UpdatesSink<any>} sink
 * @param {ResumeOptions} [options]
 */
export function resumableUpdates(client, operation, sink, { authorization } = {}) {
  // The variables are changed in place, so that the client's own retries send the current ones.
  const request = { ...operation, variables: { ...operation.variables } };
  let failures = 0;
  let refusals = 0;
  /** @type {(() => void) | undefined} */
  let refuseToken;
  let ended = false;
  /** @type {State | undefined} */
  let state;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {() => void} */
  let unsubscribe;

  /** @param {State} next */
  function changeState(next) {
    if (next === state) return;
    state = next;
    sink.state?.(next);
  }

  function lost() {
    if (state === "live") changeState("reconnecting");
  }

  function connecting() {
    refuseToken = authorization?.attempt();
  }

  function connected() {
    refusals = 0;
  }

  /** @param {() => void} notify */
  function end(notify) {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    stopWatching?.();
    unsubscribe();
    notify();
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
    if (refuseToken && isRefusal(reason)) {
      refuseToken();
      refusals += 1;
      if (refusals > REFUSALS_MAX) fail(reason);
      else again(refusals === 1 ? 0 : retryDelayMs(failures++));
    } else if (isTemporary(reason, state !== "connecting")) {
      again(retryDelayMs(failures++));
    } else {
      fail(reason);
    }
  }

  /** @param {number} delayMs */
  function again(delayMs) {
    unsubscribe();
    lost();
    timer = setTimeout(subscribe, delayMs);
  }

  /** @param {Received} result */
  function received(result) {
    const update = Object.values(result.data ?? {})[0];
    if (!update) {
      interrupted(result.errors);
    } else if (typeof update.cursor !== "string") {
      fail(new TypeError("The document must select `cursor`."));
    } else {
      failures = 0;
      refusals = 0;
      Object.assign(request.variables, { after: update.cursor, snapshot: false });
      changeState("live");
      deliver(result);
    }
  }

  /** @param {Received} result */
  function deliver(result) {
    try {
      sink.next(/** @type {{ data: unknown }} */ (result));
    } catch (error) {
      // The clients would mistake it for a broken connection.
      fail(error);
    }
  }

  function subscribe() {
    // graphql-sse does not tell when it opens its single connection.
    connecting();
    let active = true;
    /** @type {<T>(handle: (event: T) => void) => (event: T) => void} */
    const whileActive = (handle) => (event) => {
      if (active) handle(event);
    };
    const dispose = client.subscribe(
      request,
      {
        next: whileActive(received),
        error: whileActive(interrupted),
        complete: () => {
          if (active) complete();
        },
      },
      {
        connecting: (again) => {
          connecting();
          if (again && active) lost();
        },
        connected,
      },
    );
    unsubscribe = () => {
      active = false;
      // Deferred: if the subscription's end is among the messages being handled, graphql-ws would count it as gone twice
      // and close the socket that other subscriptions use.
      queueMicrotask(dispose);
    };
  }

  const stopWatching =
    "on" in client
      ? watchSocket(client, {
          connecting,
          connected,
          lost: (event) => {
            if (isRefusal(event)) refuseToken?.();
            lost();
          },
        })
      : undefined;
  changeState("connecting");
  subscribe();
  return complete;
}

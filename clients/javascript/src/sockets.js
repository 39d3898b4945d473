const PONG_MS_MAX = 5_000;

/**
 * Watches the socket of a graphql-ws client, and terminates it when a pong is missing. Without that, a socket whose other
 * end vanished would stay open for minutes.
 *
 * @param {import("graphql-ws").Client} client
 * @param {{ connecting: () => void, connected: () => void, lost: (event: unknown) => void }} watcher
 * @returns {() => void} a function that stops watching
 */
export function watchSocket(client, { connecting, connected, lost }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const stopTimer = () => {
    clearTimeout(timer);
  };
  const unlisten = [
    client.on("connecting", connecting),
    client.on("connected", connected),
    client.on("ping", (received) => {
      if (received) return;
      stopTimer();
      timer = setTimeout(() => {
        client.terminate();
      }, PONG_MS_MAX);
    }),
    client.on("pong", (received) => {
      if (received) stopTimer();
    }),
    client.on("closed", (event) => {
      stopTimer();
      lost(event);
    }),
  ];
  return () => {
    stopTimer();
    for (const stop of unlisten) stop();
  };
}

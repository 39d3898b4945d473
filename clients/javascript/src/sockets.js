const PONG_MS_MAX = 5_000;

/**
 * Calls `lost` when the socket of a graphql-ws client closes, and terminates the socket when a pong is missing. Without
 * that, a socket whose other end vanished would stay open for minutes.
 *
 * @param {import("graphql-ws").Client} client
 * @param {() => void} lost
 * @returns {() => void} a function that stops watching
 */
export function watchSocket(client, lost) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const stopTimer = () => {
    clearTimeout(timer);
  };
  const unlisten = [
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
    client.on("closed", () => {
      stopTimer();
      lost();
    }),
  ];
  return () => {
    stopTimer();
    for (const stop of unlisten) stop();
  };
}

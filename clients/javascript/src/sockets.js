const PONG_MS_MAX = 5_000;

/**
 * Tells when the socket of a graphql-ws client is lost, and gives it up when a pong is missing: one whose other end
 * vanished stays open by itself for minutes.
 *
 * @param {import("graphql-ws").Client} client
 * @param {() => void} lost
 * @returns {() => void} what ends it
 */
export function watchSocket(client, lost) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const stopWaiting = () => {
    clearTimeout(timer);
  };
  const unlisten = [
    client.on("ping", (received) => {
      if (received) return;
      stopWaiting();
      timer = setTimeout(() => {
        client.terminate();
      }, PONG_MS_MAX);
    }),
    client.on("pong", (received) => {
      if (received) stopWaiting();
    }),
    client.on("closed", () => {
      stopWaiting();
      lost();
    }),
  ];
  return () => {
    stopWaiting();
    for (const stop of unlisten) stop();
  };
}

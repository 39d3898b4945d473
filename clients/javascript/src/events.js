const SILENCE_MS_MAX = 45_000;

/** @type {typeof import("./index.d.ts").fetchUntilSilent} */
export function fetchUntilSilent(silenceMsMax = SILENCE_MS_MAX) {
  return async (input, init) => {
    const response = await fetch(input, init);
    return new Response(
      response.body?.pipeThrough(silenceLimit(silenceMsMax, init?.signal)),
      response,
    );
  };
}

/**
 * @param {number} silenceMsMax
 * @param {AbortSignal | null | undefined} signal
 */
function silenceLimit(silenceMsMax, signal) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @param {TransformStreamDefaultController} stream */
  const restartTimer = (stream) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      stream.error(new Error(`The service sent nothing for ${String(silenceMsMax)} ms.`));
    }, silenceMsMax);
  };
  signal?.addEventListener("abort", () => {
    clearTimeout(timer);
  });
  /** @type {Transformer<Uint8Array, Uint8Array>} */
  const limit = {
    start: restartTimer,
    transform(chunk, stream) {
      restartTimer(stream);
      stream.enqueue(chunk);
    },
    flush() {
      clearTimeout(timer);
    },
  };
  return new TransformStream(limit);
}

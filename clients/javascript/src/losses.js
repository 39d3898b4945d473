const RETRY_MS_FIRST = 500;
const RETRY_MS_MAX = 10_000;

/** Of a breach of the protocol, or of a refusal: another socket would be closed with the same. */
const FINAL_CLOSE_CODES = [1002, 1003, 1007, 1008, 1009, 1010, 4400, 4401, 4403, 4406, 4409, 4429];
const PASSING_STATUSES = [408, 425, 429];

/**
 * Whether asking again may help after what a client reported.
 *
 * @param {unknown} reason errors of GraphQL, the close event of a socket, graphql-sse's NetworkError, or anything else
 * @param {boolean} accepted whether the operation was accepted before: a limit that it meets now is one of numbers,
 *   when all clients of a restarted service come back
 */
export function mayPass(reason, accepted) {
  if (Array.isArray(reason)) {
    const passing = accepted ? ["UNAVAILABLE", "LIMIT_EXCEEDED"] : ["UNAVAILABLE"];
    return codesOf(reason).every((code) => passing.includes(code));
  }
  /** @type {{ code?: number, response?: { status: number } }} */
  const { code, response } = reason ?? {};
  if (response) return response.status >= 500 || PASSING_STATUSES.includes(response.status);
  return code === undefined || !FINAL_CLOSE_CODES.includes(code);
}

/** @param {readonly unknown[]} errors */
function codesOf(errors) {
  return /** @type {{ extensions?: { code?: string } }[]} */ (errors).map(
    ({ extensions }) => extensions?.code ?? "",
  );
}

/**
 * Exponential, and random so that the clients of a restarted service do not all come back at once.
 *
 * @param {number} failures how many attempts failed since the last update
 */
export function retryDelayMs(failures, random = Math.random()) {
  return Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** failures) * (0.5 + random / 2);
}

const RETRY_MS_FIRST = 500;
const RETRY_MS_MAX = 10_000;

/** Protocol violations and refusals: the service would close another socket with the same code. */
const FINAL_CLOSE_CODES = [1002, 1003, 1007, 1008, 1009, 1010, 4400, 4401, 4403, 4406, 4409, 4429];
const FORBIDDEN = 4403;
const UNAUTHENTICATED = 401;
const NOT_FOUND = 404;
const TEMPORARY_STATUSES = [408, 425, 429];

/**
 * Tells whether a retry may help after an error that a client reported.
 *
 * @param {unknown} reason GraphQL errors, the close event of a socket, graphql-sse's NetworkError, or anything else
 * @param {boolean} accepted whether the service accepted the operation before; then an exceeded limit is temporary,
 *   caused by all clients of a restarted service that reconnect
 */
export function isTemporary(reason, accepted) {
  if (Array.isArray(reason)) {
    const temporary = accepted ? ["UNAVAILABLE", "LIMIT_EXCEEDED"] : ["UNAVAILABLE"];
    return codesOf(reason).every((code) => temporary.includes(code));
  }
  /** @type {{ code?: number, response?: { status: number } }} */
  const { code, response } = reason ?? {};
  if (response) return isTemporaryStatus(response.status, accepted);
  return code === undefined || !FINAL_CLOSE_CODES.includes(code);
}

/**
 * A service that has restarted does not know the event stream that graphql-sse shares between operations.
 *
 * @param {number} status
 * @param {boolean} accepted
 */
function isTemporaryStatus(status, accepted) {
  return status >= 500 || TEMPORARY_STATUSES.includes(status) || (accepted && status === NOT_FOUND);
}

/**
 * Tells whether another token may help. A page of another origin is refused with the same code, whatever its token.
 *
 * @param {unknown} reason
 */
export function isRefusal(reason) {
  /** @type {{ code?: number, reason?: string, response?: { status: number } }} */
  const { code, reason: text = "", response } = reason ?? {};
  return response?.status === UNAUTHENTICATED || (code === FORBIDDEN && !/\borigin\b/.test(text));
}

/**
 * Returns the error of a stream that a response refused.
 *
 * @param {Response} response
 */
export function closed(response) {
  return Object.assign(new Error(`The response status was ${String(response.status)}.`), {
    response,
  });
}

/** @param {readonly unknown[]} errors */
function codesOf(errors) {
  return /** @type {{ extensions?: { code?: string } }[]} */ (errors).map(
    ({ extensions }) => extensions?.code ?? "",
  );
}

/**
 * Exponential backoff with jitter, so that the clients of a restarted service do not all reconnect at once.
 *
 * @param {number} failures number of failed attempts since the last update
 */
export function retryDelayMs(failures, random = Math.random()) {
  return Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** failures) * (0.5 + random / 2);
}

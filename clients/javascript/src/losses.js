const RETRY_MS_FIRST = 500;
const RETRY_MS_MAX = 10_000;

/** Of a breach of the protocol, or of a refusal: another socket would be closed with the same. */
const FINAL_CLOSE_CODES = [1002, 1003, 1007, 1008, 1009, 1010, 4400, 4401, 4403, 4406, 4409, 4429];
const PASSING_STATUSES = [408, 425, 429];
const PASSING_ERROR_CODES = ["UNAVAILABLE"];

/** @type {typeof import("./index.d.ts").mayPass} */
export function mayPass(reason) {
  if (Array.isArray(reason)) return reason.every(isPassing);
  /** @type {{ code?: number, response?: { status: number } }} */
  const { code, response } = reason ?? {};
  if (response) return response.status >= 500 || PASSING_STATUSES.includes(response.status);
  return code === undefined || !FINAL_CLOSE_CODES.includes(code);
}

/** @param {{ extensions?: { code?: string } }} error of GraphQL */
function isPassing({ extensions }) {
  return PASSING_ERROR_CODES.includes(extensions?.code ?? "");
}

/**
 * Exponential, and random so that the clients of a restarted service do not all come back at once.
 *
 * @param {number} failures how many attempts failed since the last update
 */
export function retryDelayMs(failures, random = Math.random()) {
  return Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** failures) * (0.5 + random / 2);
}

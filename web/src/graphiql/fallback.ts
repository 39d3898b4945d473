const FORBIDDEN = 4403;

/** Shown where plain requests reach the service and WebSockets do not. */
export const BLOCKED =
  "WebSockets do not get through to the service: the proxy must pass Upgrade and Connection.";

/**
 * Returns why WebSockets are refused for good while event streams may work, or null. The service refuses those of another
 * origin, and says what a proxy must do.
 */
export function originRefusal(event: unknown): string | null {
  if (typeof event !== "object" || event === null) return null;
  const { code, reason } = event as { code?: unknown; reason?: unknown };
  return code === FORBIDDEN && typeof reason === "string" && /\borigin\b/.test(reason)
    ? reason
    : null;
}

/** Maximum keys held in the browser; with more, the page asks for a longer prefix. */
export const KEYS_MAX = 200_000;
/** Maximum Base64 characters of values held in the browser, which bounds large values as well. */
export const VALUE_CHARACTERS_MAX = 128 * 1024 * 1024;
export const PINS_MAX = 40;
export const SERIES_MAX = 24;
/** Maximum points per plotted number: half an hour at 20 per second. */
export const POINTS_MAX = 36_000;
/** Minimum time between points; a number that changes faster is plotted by its last value in each interval. */
export const POINT_SPACING_MS = 50;
export const HISTORY_MAX = 200;
export const HISTORY_REQUESTED = 50;
/** Interval at which the table receives the latest change of each changed key. */
export const TABLE_INTERVAL_SECONDS = 0.25;
/** Rates in the table are counted from these updates, so higher rates cannot be distinguished. */
export const TABLE_RATE_MAX = 3;
/** Catching up for longer than this is shown as a warning. */
export const BEHIND_MS_MAX = 2_000;
export const STATUS_INTERVAL_SECONDS = 1;
/** The service sends its status every second; longer silence is shown as a warning. */
export const STATUS_SILENCE_MS = 5_000;
export const RETRY_MS_MAX = 15_000;
export const PING_INTERVAL_MS = 10_000;
export const PONG_WAIT_MS = 5_000;
/** Browsers hold six connections to a host over HTTP/1.1, of which one is left for queries. */
export const EVENT_STREAMS_MAX = 5;
export const EVENT_STREAMS_SILENCE_MS = 15_000;
/** So many WebSockets that fail while requests work show that they do not get through. */
export const BLOCKED_ATTEMPTS = 2;

/** Documents that the service refuses make the page learn the types of a table again, no more often than this. */
export const LEARN_AGAIN_MS = 10_000;

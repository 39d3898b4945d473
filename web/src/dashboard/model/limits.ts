/** Keys held in the browser; past it the page asks for a longer prefix. */
export const KEYS_MAX = 200_000;
/** Base64 characters of values held, so that few but large values are bounded as well. */
export const VALUE_CHARACTERS_MAX = 128 * 1024 * 1024;
export const PINS_MAX = 40;
export const SERIES_MAX = 24;
/** Points one plotted number keeps: at 20 a second, half an hour. */
export const POINTS_MAX = 36_000;
/** A number that changes more often than this is plotted by its last value in each such span. */
export const POINT_SPACING_MS = 50;
export const HISTORY_MAX = 200;
export const HISTORY_ASKED = 50;
/** How often the table gets the latest change of each key that changed. */
export const TABLE_INTERVAL_SECONDS = 0.25;
/** Rates in the table are counted from those, so nothing above can be told apart. */
export const TABLE_RATE_MAX = 3;
/** Catching up for longer than this between two of those is worth a warning. */
export const BEHIND_MS_MAX = 2_000;
export const STATUS_INTERVAL_SECONDS = 1;
/** The service sends a status every second; silence longer than this is worth a warning. */
export const STATUS_SILENCE_MS = 5_000;
export const RETRY_MS_MAX = 15_000;
export const PING_INTERVAL_MS = 10_000;
export const PONG_WAIT_MS = 5_000;

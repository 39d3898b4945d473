/**
 * Which part of the topic is subscribed to. While everything fits into the browser a search only filters what is
 * held, at once; the subscription is narrowed where it was too large, or where the page was opened at a prefix.
 */
export function nextScope(scope: string, prefix: string, full: boolean): string {
  return prefix.startsWith(scope) && !full ? scope : prefix;
}

export interface Suggestion {
  prefix: string;
  count: number;
}

/** A prefix of fewer keys than one in this many is no way to find one's way. */
const RARE = 2000;

/** Prefixes that divide these keys, the most frequent first. */
export function suggestPrefixes(
  keys: Iterable<string>,
  scope: string,
  suggestionsMax: number,
): Suggestion[] {
  const counts = new Map<string, number>();
  let total = 0;
  for (const key of keys) {
    total += 1;
    const prefix = headOf(key, scope.length);
    if (prefix.length > scope.length) counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
  }
  const divided = counts.size > 1 ? counts : new Map<string, number>();
  return [...divided]
    .map(([prefix, count]) => ({ prefix, count }))
    .filter(({ count }) => count * RARE >= total)
    .sort((one, other) => other.count - one.count)
    .slice(0, suggestionsMax);
}

/** Up to and with the next separator, or without one two characters more. */
function headOf(key: string, from: number): string {
  const separator = /[/:.\-_|]/g;
  separator.lastIndex = from;
  const found = separator.exec(key);
  return key.slice(0, found ? found.index + 1 : from + 2);
}

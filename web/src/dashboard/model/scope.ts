/**
 * Returns the prefix to subscribe to. As long as all keys in scope fit into the browser, a search only filters them. A new
 * subscription is needed if the search leaves the scope, or if the scope has too many keys.
 */
export function nextScope(scope: string, prefix: string, full: boolean): string {
  return prefix.startsWith(scope) && !full ? scope : prefix;
}

export interface Suggestion {
  prefix: string;
  count: number;
}

/** A prefix with less than one in this many keys is too rare to suggest. */
const RARE = 2000;

/** Returns prefixes that divide these keys, the most frequent first. */
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

/** Returns the key up to and including the next separator, or two more characters if there is none. */
function headOf(key: string, from: number): string {
  const separator = /[/:.\-_|]/g;
  separator.lastIndex = from;
  const found = separator.exec(key);
  return key.slice(0, found ? found.index + 1 : from + 2);
}

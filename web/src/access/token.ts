/**
 * The tokens of the visitor, in sessionStorage: they outlive a reload and the way between the pages, no other tab reads them, and
 * they are gone with this one. localStorage would keep them for whoever uses the browser next.
 */
const TOKEN = "kvs-token";
const REFRESH_TOKEN = "kvs-refresh-token";

export interface Tokens {
  token: string;
  refreshToken: string | null;
}

export function readTokens(): Tokens | null {
  const token = sessionStorage.getItem(TOKEN);
  return token === null ? null : { token, refreshToken: sessionStorage.getItem(REFRESH_TOKEN) };
}

export function keepTokens({ token, refreshToken }: Tokens): void {
  sessionStorage.setItem(TOKEN, token);
  if (refreshToken === null) sessionStorage.removeItem(REFRESH_TOKEN);
  else sessionStorage.setItem(REFRESH_TOKEN, refreshToken);
}

export function dropTokens(): void {
  sessionStorage.removeItem(TOKEN);
  sessionStorage.removeItem(REFRESH_TOKEN);
}

/** The header with the token, also for `connection_init`; empty without one. */
export function authorization(): Record<string, string> {
  const tokens = readTokens();
  return tokens === null ? {} : { authorization: `Bearer ${tokens.token}` };
}

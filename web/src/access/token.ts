/**
 * The tokens of the visitor, in sessionStorage: they outlive a reload and the way between the pages, no other tab reads them, and
 * they are gone with this one. localStorage would keep them for whoever uses the browser next.
 */
const TOKEN = "kvs-token";
const REFRESH_TOKEN = "kvs-refresh-token";
const ISSUED = "kvs-token-issued";

export interface Tokens {
  token: string;
  refreshToken: string | null;
  /** Whether it is of the issuer, where the visitor is signed in, too. */
  issued: boolean;
}

export function readTokens(): Tokens | null {
  const token = sessionStorage.getItem(TOKEN);
  if (token === null) return null;
  const refreshToken = sessionStorage.getItem(REFRESH_TOKEN);
  return { token, refreshToken, issued: sessionStorage.getItem(ISSUED) !== null };
}

export function keepTokens({ token, refreshToken, issued }: Tokens): void {
  dropTokens();
  sessionStorage.setItem(TOKEN, token);
  if (refreshToken !== null) sessionStorage.setItem(REFRESH_TOKEN, refreshToken);
  if (issued) sessionStorage.setItem(ISSUED, "true");
}

export function dropTokens(): void {
  for (const name of [TOKEN, REFRESH_TOKEN, ISSUED]) sessionStorage.removeItem(name);
}

/** The header with the token, also for `connection_init`; empty without one. */
export function authorization(): Record<string, string> {
  const tokens = readTokens();
  return tokens === null ? {} : { authorization: `Bearer ${tokens.token}` };
}

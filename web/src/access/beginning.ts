/** The issuer of tokens, and what this page is to it. */
export interface Oidc {
  issuer: string;
  client_id: string;
  scopes: string[];
  /** Whom the tokens are for, where the issuer wants to be told. */
  audience: string | null;
  resource: string | null;
}

/** How a visitor can sign in. */
export interface Beginning {
  /** Whether the service asks for tokens. */
  tokens: boolean;
  oidc: Oidc | null;
}

/** Asks the service, beside the page; one that does not tell asks for nothing. */
export async function askBeginning(href: string): Promise<Beginning> {
  try {
    const response = await fetch(new URL("graphql/session", href));
    if (response.ok) return (await response.json()) as Beginning;
  } catch {
    // The page tells that the service cannot be reached.
  }
  return { tokens: false, oidc: null };
}

import { originRefusal } from "../graphiql/fallback";
import { askBeginning, type Beginning } from "./beginning";
import { authorization, dropTokens, keepTokens, readTokens } from "./token";

const UNAUTHENTICATED = 401;
const FORBIDDEN = 4403;
const REFRESH_MS_MIN = 1_000;
const CHECK = JSON.stringify({ query: "{ __typename }" });
const JSON_TYPE = { "content-type": "application/json" };

/** Who the visitor is to the service: signs in when the service asks, and out. */
export class Access {
  private beginning: Beginning = { tokens: false, oidc: null };
  private refreshedMs = 0;
  private listeners = new Set<() => void>();
  private renewing: Promise<boolean> | null = null;
  private asking: Promise<boolean> | null = null;
  private begun: Promise<void> | null = null;

  constructor(private readonly http: string) {}

  /** What the visitor can do now; null where the service asks nobody. */
  get action(): "Sign in" | "Sign out" | null {
    if (readTokens() !== null) return "Sign out";
    return this.beginning.tokens ? "Sign in" : null;
  }

  /** Learns how visitors sign in. */
  begin(): Promise<void> {
    this.begun ??= askBeginning(location.href).then((beginning) => {
      this.beginning = beginning;
      // A service that could not be reached is asked again.
      if (!beginning.tokens) this.begun = null;
      this.tell();
    });
    return this.begun;
  }

  /** Lets the visitor sign in first if the service shows nothing without it. */
  async enter(): Promise<void> {
    await this.begin();
    if (!this.beginning.tokens) return;
    await this.fetch(this.http, { method: "POST", headers: JSON_TYPE, body: CHECK }).catch(
      () => null,
    );
  }

  listen = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** As `fetch`, with the token. A request that is refused is sent again once the visitor has signed in. */
  fetch = async (input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> => {
    const own = new Headers(init.headers).has("authorization");
    const used = readTokens()?.token ?? null;
    const response = await send(input, init);
    if (own || response.status !== UNAUTHENTICATED || !(await this.renew(used))) return response;
    init.signal?.throwIfAborted();
    return send(input, init);
  };

  /** After the service refused a token, or that there is none: returns whether the visitor has another one. */
  async renew(refused: string | null): Promise<boolean> {
    return (await this.refresh(refused)) || (await this.signIn(refused));
  }

  /** Gets another token without the visitor, if possible. */
  async refresh(refused: string | null): Promise<boolean> {
    const tokens = readTokens();
    // Many requests are refused at once, and the first of them renews the token.
    if (tokens !== null && tokens.token !== refused) return true;
    const refreshToken = tokens?.refreshToken ?? null;
    // A token that is refused as soon as it is there will not be better the next time.
    if (refreshToken === null || Date.now() - this.refreshedMs < REFRESH_MS_MIN) return false;
    this.renewing ??= this.refreshWith(refreshToken).finally(() => {
      this.renewing = null;
    });
    return this.renewing;
  }

  /** Asks the visitor, once for all that want it. */
  signIn(refused: string | null): Promise<boolean> {
    const reason =
      refused === null
        ? "This service shows its data to those it knows."
        : "Your sign-in is no longer valid. Sign in again, and the page goes on where you were.";
    return this.ask(reason);
  }

  /** Signs in or out at the visitor's wish. What the page shows depends on it, so it is loaded again. */
  async act(): Promise<void> {
    const tokens = readTokens();
    if (tokens === null) {
      if (await this.ask("Sign in to see what you may see.")) location.reload();
      return;
    }
    dropTokens();
    await fetch(`${this.http}/session`, { method: "DELETE" }).catch(() => null);
    if (!(tokens.issued && (await this.leaveIssuer(tokens.refreshToken)))) location.reload();
  }

  private ask(reason: string): Promise<boolean> {
    this.asking ??= this.openDialog(reason).finally(() => {
      this.asking = null;
      this.tell();
    });
    return this.asking;
  }

  private async refreshWith(refreshToken: string): Promise<boolean> {
    await this.begin();
    const { oidc } = this.beginning;
    if (oidc === null) return false;
    try {
      const { refresh } = await import("./oidc");
      await refresh(oidc, refreshToken);
    } catch {
      return false;
    }
    this.refreshedMs = Date.now();
    return true;
  }

  /** Signs out at the issuer, too. Returns whether the visitor is on the way there. */
  private async leaveIssuer(refreshToken: string | null): Promise<boolean> {
    await this.begin();
    const { oidc } = this.beginning;
    if (oidc === null) return false;
    try {
      return await (await import("./oidc")).signOut(oidc, refreshToken, location.href);
    } catch {
      return false;
    }
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }

  private async openDialog(reason: string): Promise<boolean> {
    await this.begin();
    const { oidc } = this.beginning;
    const { askToSignIn } = await import("./dialog");
    return askToSignIn({
      reason,
      issuer: oidc?.issuer ?? null,
      goToIssuer: async () => {
        if (oidc !== null) await (await import("./oidc")).goToIssuer(oidc, location.href);
      },
      useToken: (token) => this.useToken(token),
    });
  }

  private async useToken(token: string): Promise<string | null> {
    try {
      const headers = { ...JSON_TYPE, authorization: `Bearer ${token}` };
      const { status } = await fetch(this.http, { method: "POST", headers, body: CHECK });
      if (status === UNAUTHENTICATED) return "The service does not accept this token.";
    } catch {
      return "The service cannot be reached.";
    }
    keepTokens({ token, refreshToken: null, issued: false });
    return null;
  }
}

/** Tells whether the service closed a socket for its token. It refuses pages of other origins with the same code. */
export function isTokenRefusal(event: unknown): boolean {
  const { code } = (event ?? {}) as { code?: unknown };
  return code === FORBIDDEN && originRefusal(event) === null;
}

function send(input: RequestInfo | URL, init: RequestInit): Promise<Response> {
  const headers = new Headers({ ...authorization() });
  new Headers(init.headers).forEach((value, name) => {
    headers.set(name, value);
  });
  return fetch(input, { ...init, headers });
}

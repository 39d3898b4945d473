// OpenID Connect as a public client: authorization code with PKCE. oauth4webapi checks state, nonce and issuer by itself, has no
// dependencies, and leaves it to the page where tokens are kept.
import * as oauth from "oauth4webapi";
import type { Oidc } from "./beginning";
import { keepTokens } from "./token";

const PENDING = "kvs-sign-in";

/** What the page has to remember while the visitor is at the issuer. */
interface Pending {
  verifier: string;
  state: string;
  nonce: string;
  returnTo: string;
}

/** Goes to the issuer, which sends the visitor to `signed-in` beside this page. */
export async function goToIssuer(oidc: Oidc, href: string): Promise<void> {
  const server = await discover(oidc);
  const pending: Pending = {
    verifier: oauth.generateRandomCodeVerifier(),
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    returnTo: href,
  };
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  const address = new URL(server.authorization_endpoint ?? oidc.issuer);
  const parameters = {
    response_type: "code",
    client_id: oidc.client_id,
    redirect_uri: redirectUri(href),
    scope: oidc.scopes.join(" "),
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(pending.verifier),
    code_challenge_method: "S256",
    ...whomFor(oidc),
    // Without it, issuers give no token for renewals.
    ...(oidc.scopes.includes("offline_access") && { prompt: "consent" }),
  };
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  location.assign(address);
}

/** Exchanges the code in the address of `signed-in` for tokens, and returns the page to go back to. */
export async function comeBack(oidc: Oidc, href: string): Promise<string> {
  const stored = sessionStorage.getItem(PENDING);
  // A code is of use once.
  sessionStorage.removeItem(PENDING);
  if (stored === null) throw new Error("This tab has not begun to sign in.");
  const { verifier, state, nonce, returnTo } = JSON.parse(stored) as Pending;
  const [server, client] = [await discover(oidc), clientOf(oidc)];
  const parameters = oauth.validateAuthResponse(server, client, new URL(href), state);
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    parameters,
    redirectUri(href),
    verifier,
    { ...optionsFor(oidc), additionalParameters: whomFor(oidc) },
  );
  const checks = { expectedNonce: nonce, requireIdToken: true };
  keep(await oauth.processAuthorizationCodeResponse(server, client, response, checks), null);
  return returnTo;
}

/** Gets a new token without the visitor. */
export async function refresh(oidc: Oidc, refreshToken: string): Promise<void> {
  const [server, client] = [await discover(oidc), clientOf(oidc)];
  const options = { ...optionsFor(oidc), additionalParameters: whomFor(oidc) };
  const none = oauth.None();
  const response = await oauth.refreshTokenGrantRequest(
    server,
    client,
    none,
    refreshToken,
    options,
  );
  keep(await oauth.processRefreshTokenResponse(server, client, response), refreshToken);
}

/**
 * Ends the visitor's session at the issuer, which comes back to the dashboard (OpenID Connect RP-Initiated Logout). Returns false
 * where the issuer has no such thing. The issuer may ask whether the visitor wants that: the id token, by which it would know, is a
 * token, and stands in no URL.
 */
export async function signOut(
  oidc: Oidc,
  refreshToken: string | null,
  href: string,
): Promise<boolean> {
  const server = await discover(oidc);
  // A token for renewals outlives the session.
  if (refreshToken !== null && server.revocation_endpoint !== undefined) {
    const client = clientOf(oidc);
    const options = optionsFor(oidc);
    await oauth
      .revocationRequest(server, client, oauth.None(), refreshToken, options)
      .catch(() => null);
  }
  if (server.end_session_endpoint === undefined) return false;
  const address = new URL(server.end_session_endpoint);
  address.searchParams.set("client_id", oidc.client_id);
  address.searchParams.set("post_logout_redirect_uri", new URL("./", href).href);
  location.assign(address);
  return true;
}

function keep(answer: oauth.TokenEndpointResponse, refreshToken: string | null): void {
  keepTokens({
    token: answer.access_token,
    refreshToken: answer.refresh_token ?? refreshToken,
    issued: true,
  });
}

async function discover(oidc: Oidc): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(oidc.issuer);
  const response = await oauth.discoveryRequest(issuer, optionsFor(oidc));
  return oauth.processDiscoveryResponse(issuer, response);
}

function clientOf({ client_id }: Oidc): oauth.Client {
  return { client_id };
}

/** Some issuers give a token that only they can read unless they are told whom it is for. */
function whomFor({ audience, resource }: Oidc): Record<string, string> {
  return { ...(audience !== null && { audience }), ...(resource !== null && { resource }) };
}

/** The settings allow an issuer without TLS on the visitor's own machine only. */
function optionsFor({ issuer }: Oidc) {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so that it stands out
  return { [oauth.allowInsecureRequests]: issuer.startsWith("http:") };
}

/** Relative to the page, so that it also works behind a path prefix. */
function redirectUri(href: string): string {
  return new URL("signed-in", href).href.replace(/[?#].*/, "");
}

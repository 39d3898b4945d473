// A provider on loopback that knows everybody as ann and asks nothing but whether to sign out. Arguments: port, redirect address,
// seconds of a token, and how a client names whom its tokens are for: "resource", "audience", or "" where that is one service.
import { Provider } from "oidc-provider";

const [port, redirect, seconds, naming] = process.argv.slice(2);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: "pages",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: [redirect],
      post_logout_redirect_uris: [new URL("./", redirect).href],
    },
  ],
  extraParams: ["audience"],
  pkce: { required: () => true },
  clientBasedCORS: () => true,
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  features: {
    devInteractions: { enabled: false },
    revocation: { enabled: true },
    rpInitiatedLogout: {
      logoutSource: (context, form) => {
        context.body = `<!doctype html><link rel="icon" href="data:,"><title>Sign out?</title>${form}
          <button form="op.logoutForm" name="logout" value="yes">Yes, sign me out</button>`;
      },
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: ({ oidc }) => {
        if (naming === "resource") return undefined;
        return naming === "" || oidc.params.audience === "kvs" ? "urn:kvs" : undefined;
      },
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: "openid",
        audience: "kvs",
        accessTokenTTL: Number(seconds),
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
  interactions: { url: (_, { uid }) => `/interaction/${uid}` },
});

provider.use(async (context, next) => {
  if (!context.path.startsWith("/interaction/")) return next();
  const { prompt, params } = await provider.interactionDetails(context.req, context.res);
  let result = { login: { accountId: "ann" } };
  if (prompt.name === "consent") {
    const grant = new provider.Grant({ accountId: "ann", clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    grant.addResourceScope("urn:kvs", "openid");
    result = { consent: { grantId: await grant.save() } };
  }
  context.respond = false;
  await provider.interactionFinished(context.req, context.res, result, {
    mergeWithLastSubmission: true,
  });
});

provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));

// End when standard input closes.
process.stdin.on("end", () => process.exit()).resume();

/** @type {typeof import("./index.d.ts").authorizeBy} */
export function authorizeBy(token) {
  let renewals = 0;
  let refused = false;
  /** @type {Promise<{ authorization: string }> | undefined} */
  let asking;

  async function ask() {
    const renewing = refused;
    const authorization = `Bearer ${await token(renewing)}`;
    if (renewing) {
      refused = false;
      renewals += 1;
    }
    return { authorization };
  }

  // Many subscriptions connect at once, and need one token.
  const authorization = () =>
    (asking ??= ask().finally(() => {
      asking = undefined;
    }));

  const attempt = () => {
    // A token that was refused is renewed for the connection itself.
    const own = renewals + Number(refused);
    return () => {
      if (own === renewals) refused = true;
    };
  };

  return Object.assign(authorization, { attempt });
}

// A real OpenID Connect provider, over TLS on loopback: who types "carol" into its page is carol@example.org.

import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import Provider from "oidc-provider";

const { CERTIFICATE, ISSUER, KEYS, REDIRECT_URI } = process.env;

const provider = new Provider(ISSUER, {
  clients: [{ client_id: "us", client_secret: "secret", redirect_uris: [REDIRECT_URI] }],
  jwks: JSON.parse(KEYS),
  cookies: { keys: ["anything"] },
  pkce: { required: () => true },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["preferred_username"] },
  findAccount: (context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: true, preferred_username: id }),
  }),
});

provider.use((context, next) => {
  context.set("Content-Security-Policy", "style-src 'unsafe-inline'"); // No test waits for fonts from elsewhere.
  return next();
});

const certificate = { cert: readFileSync(`${CERTIFICATE}/fullchain.pem`), key: readFileSync(`${CERTIFICATE}/privkey.pem`) };
createServer(certificate, provider.callback()).listen(new URL(ISSUER).port, "127.0.0.1");

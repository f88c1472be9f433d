// With jose 6 (github.com/panva/jose); it is tested.
import { createRemoteJWKSet, jwtVerify } from "jose";

const keys = createRemoteJWKSet(new URL("https://example.org/.well-known/jwks.json"), {
  cacheMaxAge: 300_000, // milliseconds, as is:
  cooldownDuration: 5_000, // between fetches for a kid that is not known
});

export async function claimsOf(token) {
  const { payload } = await jwtVerify(token, keys, {
    algorithms: ["ES256"],
    typ: "at+jwt",
    issuer: "https://example.org",
    audience: "https://example.org",
    requiredClaims: ["exp", "iat", "sub", "sid"],
  });
  return payload;
}

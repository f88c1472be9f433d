/**
 * What jose reads of an access token, and what it makes: a description on stdin, an answer on stdout, both JSON.
 *
 * In: `token`, its `header` and `claims`, the `jwks` that verify it, `issuer` and `audience`; the private JWK `key` that
 * signed it and another one, `other`; the public halves of both as JWK, and of the first as PEM, where they have one.
 * Out: `read`, the claims that jose finds; `good`, what it makes of the same; `bad`, by name, what nobody may take.
 */

import { json } from "node:stream/consumers";
import * as jose from "jose";

const given = await json(process.stdin);
const { token, header, claims, jwks, issuer, audience } = given;
const { alg } = header;
const [key, other] = [await jose.importJWK(given.key, alg), await jose.importJWK(given.other, alg)];
const [ours, theirs] = [given.public ?? given.key, given.otherPublic ?? given.other];
const elsewhere = "http://127.0.0.1:9/";
const now = Math.floor(Date.now() / 1000);
const text = JSON.stringify(claims);
const octets = (value) => new TextEncoder().encode(value);

/** The token with other members (undefined takes one out), signed by jose with the right key or another. */
function signed({ head = {}, body = {}, by = key, crit = undefined }) {
  return new jose.SignJWT({ ...claims, ...body }).setProtectedHeader({ ...header, ...head }).sign(by, { crit });
}

/** A token whose payload is any text, well signed. */
const written = (payload) => new jose.CompactSign(octets(payload)).setProtectedHeader(header).sign(key);
const flattened = (head) =>
  new jose.FlattenedSign(octets(text)).setProtectedHeader({ ...header, ...head }).sign(key);

const keys = given.public ? jose.createLocalJWKSet(jwks) : key;
const read = await jose.jwtVerify(token, keys, { issuer, audience, algorithms: [alg], typ: "at+jwt" });
const detached = await flattened({ b64: false, crit: ["b64"] });

const bad = {
  "unsecured": new jose.UnsecuredJWT(claims).encode(),
  "of another key under the same kid": signed({ by: other }),
  "of the key that it brings": signed({ by: other, head: { jwk: theirs } }),
  "of the key that it brings, under that one's kid": signed({ by: other, head: { jwk: theirs, kid: theirs.kid } }),
  "of keys that are elsewhere": signed({ by: other, head: { jku: `${elsewhere}jwks.json`, kid: theirs.kid } }),
  "of a certificate that is elsewhere": signed({ by: other, head: { x5u: `${elsewhere}key.pem` } }),
  "with the right key in its header": signed({ head: { jwk: ours } }),
  "with an address of keys in its header": signed({ head: { jku: `${elsewhere}jwks.json` } }),
  "with crit": signed({ head: { crit: ["exp"], exp: claims.exp }, crit: { exp: true } }),
  "with b64": signed({ head: { b64: true, crit: ["b64"] } }),
  "unencoded": `${detached.protected}.${text}.${detached.signature}`,
  "unencoded and detached": `${detached.protected}..${detached.signature}`,
  "in JSON": JSON.stringify(await flattened()),
  "encrypted": new jose.EncryptJWT(claims)
    .setProtectedHeader({ ...header, alg: "dir", enc: "A256GCM" })
    .encrypt(octets("0123456789abcdef0123456789abcdef")),
  "without typ": signed({ head: { typ: undefined } }),
  "without kid": signed({ head: { kid: undefined } }),
  "of the type JWT": signed({ head: { typ: "JWT" } }),
  "of the refresh token's type": signed({ head: { typ: "rt+jwt" } }),
  "expired": signed({ body: { iat: now - 20, exp: now } }),
  "without an end": signed({ body: { exp: undefined } }),
  "of another issuer": signed({ body: { iss: elsewhere } }),
  "for another audience": signed({ body: { aud: elsewhere } }),
  "for several audiences": signed({ body: { aud: [audience, elsewhere] } }),
  "with a claim twice": written(text.replace("{", '{"sub":"1",')),
  "with a claim twice, once in escapes": written(text.replace("{", '{"\\u0073ub":"1",')),
  "of claims that are a list": written(`[${text}]`),
  "of no claims": written("{}"),
};
if (given.public) {
  const head = { alg: "HS256" };
  bad["HS256 keyed with the public PEM"] = signed({ head, by: octets(given.pem) });
  bad["HS256 keyed with the public PEM, trimmed"] = signed({ head, by: octets(given.pem.trim()) });
  bad["HS256 keyed with the public JWK"] = signed({ head, by: octets(JSON.stringify(ours)) });
}
if (alg === "RS256") {
  bad["of another padding"] = signed({ head: { alg: "PS256" }, by: await jose.importJWK(given.key, "PS256") });
}

const made = await Promise.all(Object.entries(bad).map(async ([name, made]) => [name, await made]));
console.log(JSON.stringify({ read: read.payload, good: await signed({}), bad: Object.fromEntries(made) }));

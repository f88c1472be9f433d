/**
 * What jose reads of an access token, and what it makes: a description on stdin, an answer on stdout, both JSON.
 *
 * In: `token`, its `header` and `claims`, the `jwks` that verify it, `issuer` and `audience`; the private JWK `key` that
 * signed it, which verifies too where it is `symmetric`. Out: `read`, the claims that jose finds; `good`, what it makes of
 * the same.
 */

import { json } from "node:stream/consumers";
import * as jose from "jose";

const given = await json(process.stdin);
const { token, header, claims, jwks, issuer, audience } = given;
const { alg } = header;
const key = await jose.importJWK(given.key, alg);
const keys = !given.symmetric ? jose.createLocalJWKSet(jwks) : key;
const read = await jose.jwtVerify(token, keys, { issuer, audience, algorithms: [alg], typ: "at+jwt" });
console.log(JSON.stringify({ read: read.payload, good: await new jose.SignJWT(claims).setProtectedHeader(header).sign(key) }));

/**
 * Verifies a Sojourn site's access tokens with its public keys, without asking it about each request.
 *
 * Nothing in a token says how to verify it. The algorithms, the addresses of keys and status list, the issuer and the
 * audience are configured here; a token can only agree, or be refused.
 */

import { inflateSync } from "node:zlib";
import { createLocalJWKSet, errors, jwtVerify } from "jose";

// All spans are in seconds.
const KEYS_AGE = 300; // after it the keys are fetched again, so that one that leaked and was retired goes here too
const PAUSE = 5; // between fetches for kids that are not known, so that made-up ones cause no flood
const TIMEOUT = 2; // for the issuer to answer

/** The token is not good; the message is for the log. */
export class InvalidToken extends Error {}

/** Whether the token is good cannot be known at the moment. */
export class Unavailable extends Error {}

/** What the issuer publishes at one address, as it was when it was last to be had. */
class Fetched {
  #read;
  #triedAt = -Infinity;
  #fetching;

  constructor(url, read, value) {
    this.url = url;
    this.value = value;
    this.#read = read;
  }

  /**
   * The value, fetched anew if that was last tried `age` seconds ago. An outage of the issuer is none of ours: what
   * cannot be fetched, or read, leaves the last value.
   */
  async renew(age) {
    if (performance.now() - this.#triedAt >= age * 1000) {
      this.#triedAt = performance.now();
      this.#fetching = this.#fetch();
    }
    await this.#fetching; // whoever comes meanwhile waits for the same answer
    return this.value;
  }

  async #fetch() {
    try {
      const response = await fetch(this.url, { signal: AbortSignal.timeout(TIMEOUT * 1000) });
      if (!response.ok) throw new Error(`status ${response.status}`);
      this.value = await this.#read(await response.text());
      console.info("Fetched %s", this.url);
    } catch (error) {
      console.warn("Could not fetch %s: %s", this.url, error.cause?.message ?? error.message);
    }
  }
}

/** The access tokens of one issuer for one audience. */
export class Verifier {
  #issuer;
  #audience;
  #algorithms;
  #keys;
  #list;

  constructor({ issuer, audience, algorithms }) {
    this.#issuer = issuer;
    this.#audience = audience;
    this.#algorithms = algorithms;
    const place = `${issuer.replace(/\/+$/, "")}/.well-known`;
    const never = { bits: 1, octets: Buffer.alloc(0), ttl: 1, exp: 0 };
    this.#keys = new Fetched(`${place}/jwks.json`, readKeys, { kids: new Set() });
    this.#list = new Fetched(`${place}/status-list`, (body) => this.#readList(body), never);
  }

  /** What a good access token says (RFC 9068). Rejects with InvalidToken, or Unavailable. */
  async claimsOf(token) {
    const claims = await this.#verified(token, {
      typ: "at+jwt", // one kind of token never passes for another (RFC 8725 §3.11)
      audience: this.#audience,
      requiredClaims: ["sub", "sid", "iat", "exp", "jti"],
    });
    if (claims.status !== undefined) await this.#refuseEnded(claims.status);
    return claims;
  }

  async #verified(token, expected) {
    try {
      const key = (header, jws) => this.#key(header, jws);
      const options = { issuer: this.#issuer, algorithms: this.#algorithms, ...expected };
      return (await jwtVerify(token, key, options)).payload;
    } catch (error) {
      if (error instanceof errors.JOSEError) throw new InvalidToken(error.message);
      throw error;
    }
  }

  /** The key that the header names; jose refuses it unless `alg` is the key's own. */
  async #key(header, jws) {
    let keys = await this.#keys.renew(KEYS_AGE);
    // Seldom: a key is published for a whole period before it signs.
    if (!keys.kids.has(header.kid)) keys = await this.#keys.renew(PAUSE);
    if (!keys.kids.size) throw new Unavailable("there is no key yet");
    if (!keys.kids.has(header.kid)) throw new InvalidToken("its key is not one of the issuer's");
    return keys.find(header, jws);
  }

  async #refuseEnded(status) {
    const named = status?.status_list;
    // Whoever fetches what a token names, fetches what an attacker names.
    if (named?.uri !== this.#list.url) throw new InvalidToken("it names another status list");
    const list = await this.#list.renew(this.#list.value.ttl);
    if (Date.now() / 1000 >= list.exp) throw new Unavailable("the status list is over, and there is no newer one");
    if (statusOf(list, named.idx) !== 0) throw new InvalidToken("its session has ended");
  }

  async #readList(body) {
    const requiredClaims = ["sub", "iat", "exp", "ttl"];
    const claims = await this.#verified(body, { typ: "statuslist+jwt", requiredClaims });
    if (claims.sub !== this.#list.url) throw new InvalidToken("it is the list of another address");
    const { bits, lst } = claims.status_list;
    if (![1, 2, 4, 8].includes(bits)) throw new InvalidToken("its statuses are of no known size");
    return { bits, octets: inflateSync(Buffer.from(lst, "base64url")), ttl: Math.max(1, claims.ttl), exp: claims.exp };
  }
}

function readKeys(body) {
  const jwks = JSON.parse(body);
  return { kids: new Set(jwks.keys.map((key) => key.kid)), find: createLocalJWKSet(jwks) };
}

/** The entry of a Token Status List (draft-ietf-oauth-status-list §4): `bits` for each token, 0 while it is valid. */
function statusOf({ bits, octets }, index) {
  if (!Number.isInteger(index) || index < 0 || index >= (octets.length * 8) / bits) {
    throw new InvalidToken("its index is not in the status list");
  }
  const place = index * bits;
  return (octets[Math.floor(place / 8)] >> (place % 8)) & ((1 << bits) - 1);
}

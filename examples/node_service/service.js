/**
 * A neighbour of a Sojourn site: whoever signed in there is somebody here.
 *
 * ISSUER (the site's TOKENS_ISSUER), AUDIENCE (its TOKENS_AUDIENCE, the issuer unless set), ALGORITHMS (of its keys)
 * and PORT come from the environment.
 */

import { createServer } from "node:http";
import { InvalidToken, Unavailable, Verifier } from "./verifier.js";

const { ISSUER: issuer, AUDIENCE: audience = issuer, ALGORITHMS = "ES256", PORT = "8002" } = process.env;
if (!issuer) throw new Error("ISSUER is not set: whose tokens are to be taken?");

const MAX_AGE = 300; // seconds since somebody showed who they are, for what could do harm
const CHALLENGE = 'Bearer realm="neighbour"';
const verifier = new Verifier({ issuer, audience, algorithms: ALGORITHMS.split(",") });

/** An answer other than 200. */
class Refusal extends Error {
  constructor(status, message, headers = {}) {
    super(message);
    Object.assign(this, { status, headers });
  }
}

const routes = {
  "GET /public": () => ({ message: "Anybody may read this." }),

  // `sub` is the person's key, and the one to keep beside your own data; a user name can change.
  "GET /me": async (request) => {
    const { sub, username = null } = await somebody(request);
    return { sub, username };
  },

  "GET /staff": async (request) => {
    const { username } = await staff(request);
    return { message: `Hello ${username}, you are of the staff.` };
  },

  "GET /sensitive": async (request) => {
    const { username } = await confirmed(request);
    return { message: `Hello ${username}, it's really you.` };
  },
};

/** The claims of whoever asks. A client learns that its token is not good; why is for the log. */
async function somebody(request) {
  const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "") ?? [];
  if (!token) throw new Refusal(401, "An access token is needed.", { "WWW-Authenticate": CHALLENGE });
  try {
    return await verifier.claimsOf(token);
  } catch (error) {
    if (error instanceof InvalidToken) {
      console.info("Refused a token: %j", error.message); // %j: it may quote the token, line breaks included
      const challenge = `${CHALLENGE}, error="invalid_token"`;
      throw new Refusal(401, "The access token is not good.", { "WWW-Authenticate": challenge });
    }
    if (error instanceof Unavailable) {
      console.error("Cannot judge a token: %s", error.message);
      throw new Refusal(503, "Please try again in a moment.", { "Retry-After": "5" });
    }
    throw error;
  }
}

/** The same, for the staff: as of when the token was made. */
async function staff(request) {
  const claims = await somebody(request);
  if (claims.is_staff !== true) throw new Refusal(403, "This is for the staff.");
  return claims;
}

/** The same, for whoever has shown two factors, and recently. The challenge says so to the client (RFC 9470). */
async function confirmed(request) {
  const claims = await somebody(request);
  const recent = Number.isInteger(claims.auth_time) && Date.now() / 1000 - claims.auth_time <= MAX_AGE;
  if (!recent || !Array.isArray(claims.amr) || !claims.amr.includes("mfa")) {
    const challenge = `${CHALLENGE}, error="insufficient_user_authentication", max_age="${MAX_AGE}"`;
    throw new Refusal(401, "Please confirm that it's you.", { "WWW-Authenticate": challenge });
  }
  return claims;
}

async function answer(request) {
  const route = routes[`${request.method} ${request.url.split("?")[0]}`];
  if (!route) throw new Refusal(404, "Not found.");
  return { status: 200, body: await route(request) };
}

function refused(error) {
  if (error instanceof Refusal) return { ...error, body: { detail: error.message } };
  console.error(error);
  return { status: 500, body: { detail: "Something went wrong." } };
}

const server = createServer(async (request, response) => {
  const { status, headers, body } = await answer(request).catch(refused);
  response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
});

server.listen(Number(PORT), "127.0.0.1", () => console.info("Running on http://127.0.0.1:%d", server.address().port));

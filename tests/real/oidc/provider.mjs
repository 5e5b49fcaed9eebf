// The issuer: the certified oidc-provider over HTTPS, with what a test needs round it.
//
// Started with the path of a JSON file (see ../issuer.py, which writes it): the port, the TLS certificate, the mailbox
// that everybody signs in as, the clients and how long their tokens live. The person in the browser is not asked
// anything: each interaction ends at once with consent. All rules of the protocol are the library's own, with four
// exceptions that are marked below. Every call of an endpoint that a client uses becomes one line of JSON in the log,
// with the time it began and ended; tokens stand there as SHA-256. What was issued stands in a file of its own, for
// whoever searches other people's logs for it.

import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { parse } from 'node:querystring';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';

import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import Provider, { errors } from 'oidc-provider';

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const given = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const issuer = `https://localhost:${given.port}`;
const clients = new Map(given.clients.map((client) => [client.metadata.client_id, client]));

const lives = (ctx, token, client) => clients.get(client.clientId).life;

const provider = new Provider(issuer, {
  clients: given.clients.map(registered),
  scopes: ['offline_access', 'smtp.send'],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    deviceFlow: {
      enabled: true,
      userCodeConfirmSource: page,
      userCodeInputSource: page,
      successSource: (ctx) => page(ctx, 'You are signed in.'),
    },
    introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientId === given.introspector },
    revocation: { enabled: true },
  },
  // Whose mailbox it is stands in every token, also where no person signed in.
  extraTokenClaims: () => ({ email: given.mailbox }),
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  // As those who take certificates do (RFC 7515 §4.1.8): which one it was must be said, and be right.
  assertJwtClientAuthClaimsAndHeader: async (ctx, claims, header, client) => {
    const [{ 'x5t#S256': registered }] = client.jwks.keys;
    if (header['x5t#S256'] !== registered) throw new errors.InvalidClientAuth('not the certificate that is registered');
  },
  // Each refresh token once: the second time the library takes the whole grant back.
  rotateRefreshToken: true,
  cookies: { keys: [randomBytes(32).toString('hex')] },
  ttl: {
    AccessToken: lives,
    ClientCredentials: lives,
    AuthorizationCode: 60,
    DeviceCode: 300,
    Interaction: 600,
    Session: 3600,
    Grant: 86400,
    RefreshToken: 86400,
  },
  renderError: (ctx, out) => page(ctx, `${out.error}: ${out.error_description}`),
});

// A client as the library wants it; a client with a certificate gets its key from there.
function registered({ metadata, certificate }) {
  return certificate ? { ...metadata, jwks: jwks(certificate) } : metadata;
}

function jwks(certificate) {
  const read = new X509Certificate(readFileSync(certificate));
  const thumbprint = createHash('sha256').update(read.raw).digest('base64url');
  const key = read.publicKey.export({ format: 'jwk' });
  return { keys: [{ ...key, use: 'sig', kid: thumbprint, 'x5t#S256': thumbprint }] };
}

function page(ctx, content) {
  ctx.type = 'html';
  ctx.body = `<!DOCTYPE html><title>Sign in</title>${content}`;
}

// RFC 7523 §2.1, which the library leaves to its users: the assertion is signed with the client's key for a mailbox.
provider.registerGrantType(JWT_BEARER, async (ctx, next) => {
  const { client, params } = ctx.oidc;
  const keys = createLocalJWKSet(jwks(clients.get(client.clientId).certificate));
  const { payload } = await jwtVerify(params.assertion, keys, {
    audience: `${issuer}/token`,
    issuer: client.clientId,
    requiredClaims: ['exp', 'iat', 'sub'],
    maxTokenAge: '1h',
  }).catch((error) => { throw new errors.InvalidGrant(error.message); });
  if (payload.sub !== given.mailbox) throw new errors.InvalidGrant('not a mailbox this key may act for');
  // No consent was given that could be taken back, so it is a token of the client's own.
  const token = new provider.ClientCredentials({ client, scope: payload.scope });
  ctx.body = { access_token: await token.save(), expires_in: token.expiration, token_type: token.tokenType };
  await next();
}, ['assertion', 'scope']);

// Exception 1: the person. Whoever comes here is signed in and has agreed to everything.
const consents = new Map();

async function agree(ctx) {
  const { params } = await provider.interactionDetails(ctx.req, ctx.res);
  const grant = new provider.Grant({ accountId: given.mailbox, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const grantId = await grant.save();
  consents.set(params.client_id, [...(consents.get(params.client_id) ?? []), grantId]);
  await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: given.mailbox }, consent: { grantId } });
  ctx.respond = false;
}

// What a person does on the provider's page "apps with access to your account".
async function withdraw(ctx) {
  const ids = consents.get(ctx.query.client_id) ?? [];
  consents.delete(ctx.query.client_id);
  for (const id of ids) await (await provider.Grant.find(id))?.destroy();
  ctx.body = `${ids.length}\n`;
}

// Exception 2: how often a device may ask. The library neither says nor minds, so here: once a second, and with the
// second question the device is told to slow down, by five seconds for good (RFC 8628 §3.5), early or not.
const patience = new Map();

function tooFast(code) {
  const known = patience.get(code) ?? { seconds: 1, polls: 0, last: -Infinity };
  // A clock that reads a little differently is forgiven.
  const early = now() - known.last < known.seconds * 1000 - 50;
  known.polls += 1;
  known.last = now();
  patience.set(code, known);
  if (!early && known.polls !== 2) return undefined;
  known.seconds += 5;
  return { early };
}

const now = () => performance.timeOrigin + performance.now();

const digest = (token) => token && createHash('sha256').update(token).digest('hex');

// The endpoints that are written down.
async function written(ctx, next) {
  const began = now();
  const form = parse(await text(ctx.req));
  // Exception 3: a service account names itself in its assertion alone, and the library wants to know who asks.
  if (form.grant_type === JWT_BEARER) form.client_id ??= named(form.assertion);
  ctx.req.body = form;
  const client = form.client_id ?? basic(ctx.get('authorization')) ?? named(form.client_assertion);
  const line = { path: ctx.path, client, proof: proof(ctx, form), grant: form.grant_type, began };
  if (form.refresh_token) line.refresh_token = digest(form.refresh_token);
  if (form.token) line.token = digest(form.token);
  // Exception 4: it takes its time as real ones do, before it decides and after, so that what overlaps is seen.
  const delay = (clients.get(client)?.delay ?? 0) * 1000;
  await pause(delay / 2);
  await answer(ctx, next, form, line);
  await pause(delay / 2);
  line.ended = now();
  appendFileSync(given.log, `${JSON.stringify(line)}\n`);
}

async function answer(ctx, next, form, line) {
  const slow = form.grant_type === DEVICE_CODE && tooFast(form.device_code);
  if (slow) {
    ctx.status = 400;
    ctx.body = { error: 'slow_down' };
    line.early = slow.early;
  } else {
    await next();
  }
  if (ctx.path === '/device/auth' && ctx.status === 200) ctx.body.interval = 1;
  line.status = ctx.status;
  line.error = ctx.body?.error;
  line.detail = ctx.state.detail;
  line.issued = digest(ctx.body?.refresh_token);
  const issued = [ctx.body?.access_token, ctx.body?.refresh_token].filter(Boolean);
  if (issued.length) appendFileSync(given.tokens, `${issued.join('\n')}\n`);
}

// The library takes a secret from either place, whatever is registered.
function proof(ctx, form) {
  if (ctx.get('authorization')) return 'header';
  if (form.client_secret) return 'body';
  return form.client_assertion ? 'assertion' : 'none';
}

const named = (assertion) => { try { return decodeJwt(assertion).iss; } catch { return undefined; } };

function basic(authorization) {
  const [name] = Buffer.from(authorization.replace(/^Basic /i, ''), 'base64').toString().split(':');
  try { return decodeURIComponent(name.replaceAll('+', ' ')) || undefined; } catch { return undefined; }
}

// The library hides from the client why an `invalid_grant` was said; the log tells.
for (const event of ['grant.error', 'revocation.error', 'server_error']) {
  provider.on(event, (ctx, error) => { ctx.state.detail = error.error_detail ?? error.message; });
}

provider.use(async (ctx, next) => {
  if (ctx.path.startsWith('/interaction/')) await agree(ctx);
  else if (ctx.path === '/withdraw') await withdraw(ctx);
  else if (['/token', '/device/auth', '/token/revocation'].includes(ctx.path)) await written(ctx, next);
  else await next();
});

const tls = { cert: readFileSync(given.certificate), key: readFileSync(given.key) };
createServer(tls, provider.callback()).listen(given.port, '127.0.0.1');

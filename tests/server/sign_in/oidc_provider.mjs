// An OpenID provider for the tests: npm `oidc-provider`, as it comes. Arguments: the path of its module, its host's name.
// It prints its issuer. POST /control sets what the tests decide: clients (which makes a provider), accounts, time;
// `reset` forgets it.
import http from 'node:http';

const { default: Provider } = await import(process.argv[2]);
const now = Date.now.bind(Date);
const state = { accounts: {}, ahead: 0, requests: [] };
Date.now = () => now() + state.ahead * 1000;
console.warn = console.info = () => {};

let provider = null;
let serve = null;

function make(issuer, clients) {
  provider = new Provider(issuer, {
    clients,
    cookies: { keys: ['of the tests'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    scopes: ['openid', 'email', 'profile', 'groups'],
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, ...state.accounts[id] }) }),
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId,
        accountId: ctx.oidc.session.accountId,
      });
      grant.addOIDCScope('openid email profile groups');
      await grant.save();
      return grant;
    },
  });
  serve = provider.callback();
}

async function body(request) {
  let text = '';
  for await (const part of request) text += part;
  return text ? JSON.parse(text) : {};
}

const server = http.createServer(async (request, response) => {
  const path = request.url.split('?')[0];
  if (path === '/control') {
    const wish = await body(request);
    if (wish.reset) Object.assign(state, { accounts: {}, ahead: 0, requests: [] });
    if (wish.clients) make(issuer, wish.clients);
    Object.assign(state.accounts, wish.accounts ?? {});
    state.ahead = wish.ahead ?? state.ahead;
    response.end(JSON.stringify({ requests: state.requests }));
    return;
  }
  state.requests.push(path);
  if (path.startsWith('/interaction/')) {
    await provider.interactionFinished(request, response, { login: { accountId: request.headers['x-who'] ?? 'ada' } });
    return;
  }
  serve(request, response);
});

let issuer = '';
server.listen(0, '127.0.0.1', () => {
  issuer = `http://${process.argv[3]}:${server.address().port}`;
  console.log(issuer);
});
process.stdin.on('end', () => process.exit(0)).resume();

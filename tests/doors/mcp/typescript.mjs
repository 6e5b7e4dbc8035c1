// The TypeScript SDKs as clients of a door: `node typescript.mjs sdk|client FOLDER URL TOKEN`, where FOLDER holds
// `node_modules`. Reads `{"tool", "arguments"}` a line, answers a line each, or `{"error"}`; first what was agreed.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [, , which, folder, url, token] = process.argv;
const require = createRequire(join(folder, 'package.json'));
const from = async (name) => import(pathToFileURL(require.resolve(name)));

const say = (value) => process.stdout.write(JSON.stringify(value) + '\n');
const options = { requestInit: { headers: { authorization: `Bearer ${token}` } } };
const progressed = [];
let client;
if (which === 'sdk') {
  const { Client } = await from('@modelcontextprotocol/sdk/client/index.js');
  const { StreamableHTTPClientTransport } = await from('@modelcontextprotocol/sdk/client/streamableHttp.js');
  client = new Client({ name: 'test', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), options));
} else {
  const { Client, StreamableHTTPClientTransport } = await from('@modelcontextprotocol/client');
  client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), options));
}
const { tools } = await client.listTools();
const version = which === 'sdk' ? client.transport.protocolVersion : client.getNegotiatedProtocolVersion();
say({ version, tools: tools.map((one) => one.name) });
for await (const line of createInterface({ input: process.stdin })) {
  const { tool, arguments: given } = JSON.parse(line);
  progressed.length = 0;
  const call = { name: tool, arguments: given };
  const more = { onprogress: (one) => progressed.push(one.message), timeout: 60_000 };
  try {
    const result = which === 'sdk' ? await client.callTool(call, undefined, more) : await client.callTool(call, more);
    say({ text: result.content[0]?.text ?? '', structured: result.structuredContent ?? null, progressed });
  } catch (error) {
    say({ error: String(error) });
  }
}
await client.close();

// Runs one client with its normalising cache. Reads commands and writes answers as lines of JSON.
import { createInterface } from "node:readline";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [kind, url, artifacts] = process.argv.slice(2);
const socket = createClient({ url: url.replace("http", "ws"), webSocketImpl: WebSocket });
const { open } = await import(`./${kind}.js`);
const client = await open(url, socket, artifacts);

function write(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { do: command, name, variables } = JSON.parse(line);
  if (command === "watch") client.watch(variables, (update) => write({ update }));
  else write({ data: (await client[command](name, variables)) ?? null });
}
process.exit();

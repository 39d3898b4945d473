// Runs one client of the matrix, whose operations are in a module. program.py explains the commands.
import { createInterface } from "node:readline";
import WebSocket from "ws";

globalThis.WebSocket = WebSocket; // Node.js 20 has none.

const [module, url] = process.argv.slice(2);
const { open } = await import(module);
const client = await open(url);
const subscriptions = new Map();

function write(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { do: command, id, transport, key, value } = JSON.parse(line);
  if (command === "subscribe") {
    const next = ({ kind, entry }) => write({ id, kind, value: entry?.value ?? null });
    subscriptions.set(id, client.subscribe(transport, key, next));
  } else if (command === "unsubscribe") {
    subscriptions.get(id)();
  } else {
    write({ answer: (await client[command](key, value)) ?? null });
  }
}
process.exit();

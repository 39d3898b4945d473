// What a page has and Node.js does not, or not in every version; and what the page says as lines of JSON.
import WebSocket from "ws";

globalThis.WebSocket = WebSocket;
console.log = (...said) => process.stdout.write(`${JSON.stringify(said)}\n`);

// It ends with whoever runs it.
process.stdin.on("end", () => process.exit()).resume();
process.stdin.unref();

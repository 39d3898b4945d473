// Gives Node.js what a page has, and logs as lines of JSON.
import WebSocket from "ws";

globalThis.WebSocket = WebSocket;
console.log = (...values) => process.stdout.write(`${JSON.stringify(values)}\n`);

// End when standard input closes.
process.stdin.on("end", () => process.exit()).resume();
process.stdin.unref();

import { compiled } from "./compiled.js";

export async function open(url) {
  const client = await compiled(new URL(".", import.meta.url), url);
  return client.open(url);
}

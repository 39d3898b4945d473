import { once } from "node:events";
import { connect } from "../graphql-sse/setup.js";
import { operations } from "../plain.js";
import { gateway } from "./setup.js";

export async function open(url) {
  const server = gateway(url).listen(0, "127.0.0.1");
  await once(server, "listening");
  return operations(connect(`http://127.0.0.1:${server.address().port}/graphql`));
}

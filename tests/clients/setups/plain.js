// The operations of clients that send a document as it is: `connect` returns { execute, subscribe }.
import { plain } from "./documents.js";

export function operations({ execute, subscribe }) {
  async function run(name, variables) {
    const { data, errors } = await execute(plain[name], variables);
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }

  return {
    query: async (key) => (await run("value", { key })).value?.value,
    set: async (key, value) => (await run("set", { key, value })).set.entry.value,
    async delete(key) {
      await run("delete", { key });
    },
    subscribe(_, key, next) {
      return subscribe(
        plain.updates,
        { keys: [key] },
        {
          next: ({ data }) => next(data.updates),
          error(reason) {
            console.error(reason);
            process.exit(1);
          },
          complete() {},
        },
      );
    },
  };
}

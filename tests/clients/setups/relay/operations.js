import relay from "relay-runtime";
import { compiled } from "./compiled.js";
import { connectionOperations } from "./connection.js";
import { connect, deleteRecord } from "./setup.js";

const { commitMutation, createOperationDescriptor, fetchQuery, requestSubscription } = relay;

export async function open(url) {
  const documents = await compiled(url);
  const environment = connect(url);
  const overSse = connect(url, "SSE");
  const kept = [];

  function read(query, variables) {
    const operation = createOperationDescriptor(query, variables);
    kept.push(environment.retain(operation));
    const { data, isMissingData } = environment.lookup(operation.fragment);
    return isMissingData ? undefined : data;
  }

  async function query(name, key) {
    await fetchQuery(environment, documents[name], { key }).toPromise();
    return read(documents[name], { key }).value;
  }

  function mutate(name, variables) {
    const mutation = documents[name];
    return new Promise((onCompleted, onError) => {
      commitMutation(environment, { mutation, variables, onCompleted, onError });
    });
  }

  async function written(key, value) {
    return (await mutate("documentsSetMutation", { key, value })).set.entry;
  }

  return {
    ...connectionOperations(environment, documents),
    query: async (key) => (await query("documentsValueQuery", key))?.value,
    history: (key) => query("documentsHistoryQuery", key),
    cached: (key) => read(documents.documentsValueQuery, { key })?.value?.value,
    written,
    set: async (key, value) => (await written(key, value)).value,
    async delete(key) {
      await mutate("documentsDeleteMutation", { key });
    },
    subscribe(transport, key, next) {
      const subscription = requestSubscription(transport === "SSE" ? overSse : environment, {
        subscription: documents.documentsUpdatesSubscription,
        variables: { keys: [key] },
        updater: deleteRecord,
        onNext: ({ updates }) => next(updates),
      });
      return () => subscription.dispose();
    },
  };
}

import { pathToFileURL } from "node:url";
import relay from "relay-runtime";
import { documents } from "./documents.js";

const { commitMutation, createOperationDescriptor, fetchQuery, requestSubscription } = relay;
const { Environment, Network, Observable, RecordSource, Store } = relay;

/** `artifacts` is the directory to which relay-compiler wrote. */
export async function open(url, socket, artifacts) {
  const compiled = {};
  for (const [name, text] of Object.entries(documents)) {
    const [, operation] = /(documents\w+)/.exec(text);
    const { default: artifact } = await import(
      pathToFileURL(`${artifacts}/${operation}.graphql.js`).href
    );
    compiled[name] = artifact;
  }
  const headers = { "content-type": "application/json" };
  const network = Network.create(
    async ({ text: query }, variables) => {
      const body = JSON.stringify({ query, variables });
      return (await fetch(url, { method: "POST", headers, body })).json();
    },
    ({ text: query }, variables) =>
      Observable.create((sink) => socket.subscribe({ query, variables }, sink)),
  );
  const environment = new Environment({ network, store: new Store(new RecordSource()) });
  const kept = [];

  function read(name, variables) {
    const operation = createOperationDescriptor(compiled[name], variables);
    kept.push(environment.retain(operation));
    const { data, isMissingData } = environment.lookup(operation.fragment);
    return isMissingData ? null : data;
  }

  return {
    async query(name, variables) {
      await fetchQuery(environment, compiled[name], variables).toPromise();
      return read(name, variables);
    },
    read,
    mutate(name, variables) {
      const mutation = compiled[name];
      return new Promise((onCompleted, onError) => {
        commitMutation(environment, { mutation, variables, onCompleted, onError });
      });
    },
    watch(variables, next) {
      requestSubscription(environment, {
        subscription: compiled.updates,
        variables,
        updater(store) {
          const update = store.getRootField("updates");
          if (update.getValue("kind") === "DELETE") store.delete(update.getValue("entryId"));
        },
        onNext: ({ updates }) => next(updates.kind),
      });
    },
  };
}

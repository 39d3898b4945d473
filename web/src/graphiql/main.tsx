import { StorageAPI } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";
import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./main.css";
import { Access } from "../access/access";
import { parseDeepLink, withoutDeepLink } from "./deepLink";
import { endpointBeside } from "./endpoint";
import { AccessButton } from "./AccessButton";
import { createFetcher } from "./fetcher";
import { SelectOperation } from "./SelectOperation";
import { SystemTheme } from "./SystemTheme";
import { examplesOf } from "./tableExamples";
import { tablesOf } from "./tables";
import { readTransport } from "./transport";
import { TransportChoice } from "./TransportChoice";

const endpoint = endpointBeside(location.href);
const access = new Access(endpoint.http);
const fetcher = createFetcher(endpoint, readTransport, access);
await access.enter();
const examples = examplesOf(await tablesOf(endpoint, access.fetch));

const link = parseDeepLink(location.search);
if (link) {
  // A reload must show the edits of the visitor instead of opening the link again.
  history.replaceState(null, "", withoutDeepLink(location.href));
  // After a reload, GraphiQL uses these to find the active tab, but it writes them only after an edit.
  const storage = new StorageAPI();
  storage.set("query", link.query);
  storage.set("variables", link.variables);
}

const root = document.getElementById("root");
if (!root) throw new Error("no #root in the page");
createRoot(root).render(
  <>
    <h1 className="unseen">GraphiQL of kvs-graphql</h1>
    <GraphiQL
      fetcher={fetcher}
      defaultTabs={link ? [link, ...examples] : examples}
      defaultEditorToolsVisibility="variables"
      {...(link && { initialQuery: link.query, initialVariables: link.variables })}
    >
      <GraphiQL.Logo>
        <a className="graphiql-logo-link" href="./" title="Open the live dashboard">
          kvs-graphql
        </a>
      </GraphiQL.Logo>
      <GraphiQL.Footer>
        <TransportChoice />
        <AccessButton access={access} />
      </GraphiQL.Footer>
      <SystemTheme />
      {link?.operationName && <SelectOperation name={link.operationName} />}
    </GraphiQL>
  </>,
);

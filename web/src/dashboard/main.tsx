/** @jsxImportSource preact */
import { render } from "preact";
import { Access } from "../access/access";
import { endpointBeside } from "../graphiql/endpoint";
import { Dashboard } from "./model/dashboard";
import { formatLink, parseLink } from "./model/link";
import { App } from "./view/App";
import { DashboardContext } from "./view/hooks";
import "@fontsource-variable/inter";
import "./style.css";

const endpoint = endpointBeside(location.href);
const access = new Access(endpoint.http);
void access.begin();
const dashboard = new Dashboard(endpoint, access, parseLink(location.search), (link, push) => {
  const address = location.pathname + formatLink(link);
  if (push) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
});
addEventListener("popstate", () => {
  dashboard.open(location.search);
});
addEventListener("online", () => {
  dashboard.session.retryNow();
});

const root = document.getElementById("root");
if (!root) throw new Error("no #root in the page");
render(
  <DashboardContext.Provider value={dashboard}>
    <App />
  </DashboardContext.Provider>,
  root,
);

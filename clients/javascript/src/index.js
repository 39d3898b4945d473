export { authorizeBy } from "./authorization.js";
export { fetchUntilSilent } from "./events.js";
export { eventSourceClient } from "./eventSources.js";
export { resumableUpdates } from "./updates.js";

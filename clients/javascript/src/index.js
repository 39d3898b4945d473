export { fetchUntilSilent } from "./events.js";
export { resumableUpdates } from "./updates.js";

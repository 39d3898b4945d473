export { fetchUntilSilent } from "./events.js";
export { mayPass } from "./losses.js";
export { resumableUpdates } from "./updates.js";

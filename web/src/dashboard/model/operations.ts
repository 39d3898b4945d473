import type { StatusSubscription, UpdatesSubscription } from "../api/operations";

export type {
  RevisionFragment as Revision,
  State as ServiceState,
  UpdateKind,
  UpdatesSubscriptionVariables as UpdatesVariables,
} from "../api/operations";
export {
  HistoryDocument as HISTORY,
  StatusDocument as STATUS,
  UpdatesDocument as UPDATES,
} from "../api/operations";

/** `key` and `value` are Base64. Markers have only `kind` and `cursor`; a DELETE has no `entry`. */
export type Update = UpdatesSubscription["updates"];
export type Status = StatusSubscription["status"];

import type {
  HeaderFragment,
  RevisionFragment,
  StatusSubscription,
  UpdatesSubscription,
} from "../api/operations";
import type { Json } from "./json";

export type {
  HeaderFragment as Header,
  State as ServiceState,
  UpdateKind,
  UpdatesSubscriptionVariables as UpdatesVariables,
} from "../api/operations";
export {
  ChangesDocument as CHANGES,
  HistoryDocument as HISTORY,
  StatusDocument as STATUS,
  UpdatesDocument as UPDATES,
} from "../api/operations";

/**
 * `key` and `value` are Base64. Markers have only `kind` and `cursor`; a DELETE has no `entry`. Only CHANGES asks for the
 * headers, and only tables with a schema have `data`.
 */
export type Update = UpdatesSubscription["updates"] & {
  entry: { headers?: HeaderFragment[]; data?: Json } | null;
};
export type Revision = RevisionFragment & { data?: Json };
export type ServiceStatus = StatusSubscription["status"];
export type TableStatus = ServiceStatus["tables"][number];
/** The status of the table that is shown, and what the service says of itself. */
export type Status = TableStatus & Omit<ServiceStatus, "tables">;

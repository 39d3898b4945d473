import {
  ChangesDocument,
  type HeaderFragment,
  type KeyQuery,
  type RevisionFragment,
  type StatusSubscription,
  type TypedDocumentString,
  UpdatesDocument,
  type UpdatesSubscription,
  type UpdatesSubscriptionVariables,
} from "../api/operations";
import type { Json } from "./json";
import type { TypedKey } from "./keys";

export type {
  HeaderFragment as Header,
  State as ServiceState,
  UpdateKind,
} from "../api/operations";
export {
  HistoryDocument as HISTORY,
  KeyDocument as KEY,
  LookUpDocument as LOOK_UP,
  StatusDocument as STATUS,
} from "../api/operations";

/** `keys` are what means them in requests to the table. */
export type UpdatesVariables = Omit<UpdatesSubscriptionVariables, "keys"> & {
  keys: unknown[] | null;
};
type Updates = TypedDocumentString<UpdatesSubscription, UpdatesVariables>;
export const UPDATES = UpdatesDocument as unknown as Updates;
/** As UPDATES, with everything about each change. */
export const CHANGES = ChangesDocument as unknown as Updates;

/** What a table with typed keys has in addition; undefined for a key that cannot be decoded. */
interface Keyed {
  keyData?: TypedKey | undefined;
}

/**
 * `key` and `value` are Base64. Markers have only `kind` and `cursor`; a DELETE has no `entry`. Only CHANGES asks for the
 * headers, and only tables with a schema have `data`.
 */
export type Update = UpdatesSubscription["updates"] &
  Keyed & {
    entry: { headers?: HeaderFragment[]; data?: Json; problem?: string } | null;
  };
/** A key by its id. */
export type FoundKey = (KeyQuery["node"] & Keyed) | null;
export type Revision = RevisionFragment & { data?: Json; problem?: string };
export type ServiceStatus = StatusSubscription["status"];
export type TableStatus = ServiceStatus["tables"][number];
/** The status of the table that is shown, and what the service says of itself. */
export type Status = TableStatus & Omit<ServiceStatus, "tables">;

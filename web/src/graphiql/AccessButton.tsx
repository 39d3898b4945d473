import { useSyncExternalStore } from "react";
import type { Access } from "../access/access";

/** Signs the visitor in or out, where the service asks for tokens. */
export function AccessButton({ access }: { access: Access }) {
  const action = useSyncExternalStore(access.listen, () => access.action);
  return (
    action !== null && (
      <button type="button" className="access" onClick={() => void access.act()}>
        {action}
      </button>
    )
  );
}

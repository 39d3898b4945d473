import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useEffect } from "react";

/** The styles follow the system by themselves; the editors choose their colours once and need a nudge. */
export function SystemTheme() {
  const theme = useGraphiQL((state) => state.theme);
  const actions = useGraphiQLActions();
  useEffect(() => {
    if (theme !== null) return;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const follow = () => {
      actions.setTheme(null);
    };
    dark.addEventListener("change", follow);
    return () => {
      dark.removeEventListener("change", follow);
    };
  }, [theme, actions]);
  return null;
}

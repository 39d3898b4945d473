import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useEffect } from "react";

/** Updates the colours of the editors when the system theme changes. The styles follow it by themselves. */
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

import { createContext, type RefObject } from "preact";
import { useContext, useEffect, useReducer, useRef, useState } from "preact/hooks";
import type { Dashboard } from "../model/dashboard";

export const DashboardContext = createContext<Dashboard | null>(null);

/** Returns the dashboard, and renders the component again after changes, at most once per interval. */
export function useDashboard(intervalMs: number): Dashboard {
  const dashboard = useContext(DashboardContext);
  if (!dashboard) throw new Error("no dashboard around this component");
  const [, redraw] = useReducer<number, undefined>((count) => count + 1, 0);
  useEffect(
    () =>
      dashboard.scheduler.add(() => {
        redraw(undefined);
      }, intervalMs),
    [dashboard, intervalMs],
  );
  return dashboard;
}

export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const follow = () => {
      setMatches(media.matches);
    };
    follow();
    media.addEventListener("change", follow);
    return () => {
      media.removeEventListener("change", follow);
    };
  }, [query]);
  return matches;
}

/** Returns a class that alternates when the text changes, to restart an animation. */
export function useFlash(text: string): string {
  const before = useRef({ text, flash: "" });
  if (before.current.text !== text) {
    before.current = { text, flash: before.current.flash === "flash-a" ? "flash-b" : "flash-a" };
  }
  return before.current.flash;
}

/** Returns a reference for a `details` element that Escape and clicks outside of it close. */
export function useDismissal(): RefObject<HTMLDetailsElement | null> {
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || !details.current?.open) return;
      details.current.open = false;
      details.current.querySelector("summary")?.focus();
    };
    const clicked = ({ target }: Event) => {
      if (target instanceof Node && !details.current?.contains(target))
        details.current?.removeAttribute("open");
    };
    document.addEventListener("keydown", pressed);
    document.addEventListener("pointerdown", clicked);
    return () => {
      document.removeEventListener("keydown", pressed);
      document.removeEventListener("pointerdown", clicked);
    };
  }, []);
  return details;
}

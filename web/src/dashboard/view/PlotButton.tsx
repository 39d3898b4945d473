/** @jsxImportSource preact */
import { useContext } from "preact/hooks";
import { base64OfId, keyOf } from "../model/bytes";
import { type Plot, samePlot, toggled } from "../model/plots";
import { DashboardContext, useFlash } from "./hooks";

/** A number that can be plotted by a click. */
export function PlotButton({ plot, text }: { plot: Plot; text: string }) {
  const dashboard = useContext(DashboardContext);
  const flash = useFlash(text);
  if (!dashboard) return null;
  const plotted = dashboard.link.charts.flat().some((known) => samePlot(known, plot));
  const name = `${keyOf(base64OfId(plot.id))} ${plot.pointer}`.trim();
  return (
    <button
      type="button"
      class={`leaf plot-button ${flash}`}
      aria-pressed={plotted}
      aria-label={`${text}, plot ${name}`}
      title={plotted ? `Stop plotting ${name}` : `Plot ${name}`}
      onClick={() => {
        dashboard.change({ charts: toggled(dashboard.link.charts, plot) });
      }}
    >
      {text}
    </button>
  );
}

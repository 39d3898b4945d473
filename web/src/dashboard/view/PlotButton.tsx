/** @jsxImportSource preact */
import { useContext } from "preact/hooks";
import { type Plot, samePlot, toggled } from "../model/plots";
import { DashboardContext, useFlash } from "./hooks";

/** A number that can be plotted by a click. */
export function PlotButton({ plot, text, exact }: { plot: Plot; text: string; exact: string }) {
  const dashboard = useContext(DashboardContext);
  const flash = useFlash(exact);
  if (!dashboard) return null;
  const plotted = dashboard.link.charts.flat().some((known) => samePlot(known, plot));
  const name = `${dashboard.keys.label(plot.id)} ${plot.pointer}`.trim();
  const act = plotted ? `Stop plotting ${name}` : `Plot ${name}`;
  return (
    <button
      type="button"
      class={`leaf plot-button ${flash}`}
      aria-pressed={plotted}
      aria-label={`${text}, plot ${name}`}
      title={text === exact ? act : `${exact}. ${act}`}
      onClick={() => {
        dashboard.change({ charts: toggled(dashboard.link.charts, plot) });
      }}
    >
      {text}
    </button>
  );
}
